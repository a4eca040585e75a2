// SPDX-License-Identifier: Apache-2.0
// Makes fixtures of recorded calls (programs/record.c): `npm run record:engines`. Each distinct command line goes to test/oci/argv,
// and each configuration that has something new to test/oci/configs. Names, numbers and paths of one run are replaced.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

const fixtures = 'test/oci'

interface Call {
  argv: string[]
  /** Names of the variables. */
  env: string[]
  cwd: string
  /** Kind of each open descriptor. */
  fds: Record<string, string>
  /** Name of the process that calls. */
  caller: string
}

/** Patterns of what differs from run to run, and what stands for it. */
const neutral: [RegExp, string][] = [
  [/\b[0-9a-f]{64}\b/g, 'ID'],
  [/\b[0-9a-f]{12}\b/g, 'SHORT'],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/\b(buildah|podman|runc-process|docker-|work|exec-process-|many-|pty)-?\d+\b/g, '$1N'],
  [/\bconmon-term\.\w+/g, 'conmon-term.NAME'],
  [/\/proc\/\d+\//g, '/proc/1/'],
  [/\/hutch-test-\d+-engines-\w+/g, '/session'],
  [/\b[0-9a-z]{25}\b/g, 'TASK'],
  [/-working-container(-\d+)?/g, '-working-container'],
  [/\b20\d\d-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, '2026-01-01T00:00:00Z'],
]
const neutralize = (text: string) => neutral.reduce((all, [pattern, word]) => all.replace(pattern, word), text)

/** Returns the features of a value: the path of each property, and short values that choose something. */
function featuresOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => featuresOf(one, `${path}[]`))
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([name, one]) => {
      const own = /annotations|sysctl/.test(path) ? `${path}.*` : `${path}.${name}`
      return [own, ...featuresOf(one, own)]
    })
  const chooses = /(options\[\]|\.type|\.access|\.op|readonly|allow|terminal|noNewPrivileges|rootfsPropagation)$/.test(
    path,
  )
  if (!chooses || path.includes('syscalls')) return []
  return [`${path}=${String(value).replace(/\d+/g, 'N')}`]
}

/** Leaves two rules of a system call filter: the whole is in the first configuration of each caller. */
function shorten(value: { linux?: { seccomp?: { syscalls?: { names: string[] }[] } } }): void {
  const seccomp = value.linux?.seccomp
  if (!seccomp?.syscalls) return
  seccomp.syscalls = seccomp.syscalls.slice(0, 2).map((rule) => ({ ...rule, names: rule.names.slice(0, 2) }))
}

/** Adds the calls of a session to the fixtures of its caller. */
export function collectRecords(caller: string, version: string, directory: string): void {
  const text = existsSync(`${directory}/calls`) ? readFileSync(`${directory}/calls`, 'utf8') : ''
  const calls = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(neutralize(line)) as Call)
  addCalls(caller, version, calls)
  for (const kind of ['config', 'process', 'resources']) addFiles(caller, kind, directory)
}

function addCalls(caller: string, version: string, calls: Call[]): void {
  mkdirSync(`${fixtures}/argv`, { recursive: true })
  const path = `${fixtures}/argv/${caller}.json`
  const before: { calls: Call[] } = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { calls: [] }
  const all = new Map(before.calls.map((call) => [call.argv.join(' '), call]))
  for (const { argv, env, cwd, fds, caller: by } of calls) {
    const words = ['RUNTIME', ...argv.slice(1)]
    // higher descriptors are left open by the caller of the tests
    const low = Object.fromEntries(Object.entries(fds).filter(([fd]) => Number(fd) < 100))
    const call = { argv: words, caller: by, env: env.toSorted(), cwd, fds: low }
    if (!all.has(words.join(' '))) all.set(words.join(' '), call)
  }
  const sorted = [...all].toSorted(([one], [other]) => (one < other ? -1 : 1)).map(([, call]) => call)
  const lines = sorted.map((call) => `    ${JSON.stringify(call)}`)
  writeFileSync(
    path,
    `{\n  "caller": "${caller}",\n  "version": "${version}",\n  "calls": [\n${lines.join(',\n')}\n  ]\n}\n`,
  )
}

function addFiles(caller: string, kind: string, directory: string): void {
  const folder = `${fixtures}/configs`
  mkdirSync(folder, { recursive: true })
  const start = `${caller}-${kind}-`
  const kept = readdirSync(folder).filter((name) => name.startsWith(start))
  // what the caller of another Debian writes in the same way is no news
  const alike = new RegExp(`^${caller.split('-')[0]}(-\\w+)?-${kind}-\\d`)
  const before = readdirSync(folder).filter((name) => alike.test(name))
  const seen = new Set(before.flatMap((name) => featuresOf(JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')))))
  const names = readdirSync(directory).filter((name) => name.endsWith(`-${kind}.json`))
  const number = (name: string) => Number.parseInt(name, 10)
  for (const name of names.toSorted((one, other) => number(one) - number(other))) {
    const value = JSON.parse(neutralize(readFileSync(`${directory}/${name}`, 'utf8')))
    if (before.length + kept.length > 0) shorten(value)
    const features = featuresOf(value)
    if (features.every((feature) => seen.has(feature))) continue
    for (const feature of features) seen.add(feature)
    const file = `${start}${kept.length + 1}.json`
    kept.push(file)
    writeFileSync(`${folder}/${file}`, `${JSON.stringify(value)}\n`)
  }
}
