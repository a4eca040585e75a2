// SPDX-License-Identifier: Apache-2.0
// npm test: every suite, here and in a VM with pure cgroup v2, and one line at the end that adds them up.
// A test that is skipped here but ran in a VM counts once, as run. In CI (CI=true) one that ran nowhere is a failure.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'

const kernels = process.argv.includes('--kernels')
const work = mkdtempSync(`${tmpdir()}/hutch-test-`)
process.on('exit', () => rmSync(work, { recursive: true, force: true }))

/** test → 'passed' | 'failed' | reason of a skip; the best word of all runs stands. */
const outcomes = new Map()
let failures = 0

function step(title, command, args, env = {}) {
  console.log(`\n== ${title}`)
  const { status } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } })
  return status === 0
}

function check(title, command, args) {
  note(title, step(title, command, args) ? 'passed' : 'failed')
}

/** Runs vitest, here or in a VM, and takes its results over. `once`: a repetition on another kernel is counted apart. */
function suite(title, runner, folders, out, once = '') {
  const report = `${out}/results.json`
  rmSync(`${work}/results.json`, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const vitest = ['node_modules/.bin/vitest', 'run', ...reporters, ...folders]
  const good = step(title, runner[0], [...runner.slice(1), ...vitest], { NO_COLOR: '1' })
  if (!existsSync(`${work}/results.json`)) return note(title, 'failed')
  const { testResults } = JSON.parse(readFileSync(`${work}/results.json`, 'utf8'))
  let failed = 0
  for (const file of testResults) {
    const name = file.name.slice(file.name.indexOf('/test/') + 1)
    for (const one of file.assertionResults) {
      const word =
        one.status === 'passed' ? 'passed' : one.status === 'failed' ? 'failed' : (one.meta?.skipped ?? 'skipped')
      failed += Number(word === 'failed')
      note(`${once}${name} > ${one.fullName}`, word)
    }
    if (file.status === 'failed' && file.assertionResults.every((one) => one.status !== 'failed'))
      note(`${once}${name}`, 'failed')
  }
  if (!good && failed === 0) note(`${once}${title}`, 'failed')
}

function note(name, word) {
  const before = outcomes.get(name)
  if (word === 'failed' || before === undefined || (before !== 'failed' && before !== 'passed'))
    outcomes.set(name, word)
}

/** The drop-ins are tested beside the real tools; the VM has this machine's. */
function provideCgroupTools() {
  if (existsSync('/usr/bin/cgcreate') || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) return
  const install = 'apt-get update && apt-get install -y --no-install-recommends cgroup-tools'
  step('installing cgroup-tools', 'sh', ['-c', install], { DEBIAN_FRONTEND: 'noninteractive' })
}

// through cat, so that the guest's console is no terminal to draw on
const vm = (...flags) => [
  'test/vm/vm-run',
  '--timeout',
  '900',
  '--out',
  work,
  ...flags,
  '--',
  'bash',
  '-o',
  'pipefail',
  '-c',
  '"$@" | cat',
  '-',
  'node',
]
const inVm = ['test/kernel', 'test/cli']
const userSystemd = 'dbus-user-session,libpam-systemd'
const underSystemd = vm('--kernel', 'trixie', '--root', 'trixie', '--systemd', '--packages', userSystemd)

if (kernels) {
  // QEMU without KVM trips over the code patching of newer kernels when they have more than one processor
  for (const [kernel, cpus] of [
    ['bookworm', '2'],
    ['trixie', '2'],
    ['sid', '1'],
  ])
    suite(
      `kernel tests on ${kernel}'s kernel, pure v2`,
      vm('--kernel', kernel, '--cpus', cpus),
      inVm,
      '/out',
      `${kernel}: `,
    )
  for (const layout of ['hybrid', 'v1'])
    suite(`kernel tests on 6.1, ${layout}`, vm('--layout', layout), inVm, '/out', `${layout}: `)
  suite('kernel tests under systemd', underSystemd, ['test/kernel'], '/out', 'systemd: ')
} else {
  check('lint', 'node_modules/.bin/biome', ['check', '.'])
  check('types', 'node_modules/.bin/tsc', ['--noEmit'])
  check('the C core under sanitizers', 'sh', ['native/test/run'])
  provideCgroupTools()
  suite('all tests on this host', [process.execPath], ['test'], work)
  suite('kernel and CLI tests in a VM: Linux 6.1, pure v2', vm(), inVm, '/out')
  suite('beside cgroup-tools 2.0 in a VM: pure v2', vm(), ['test/cgtools'], '/out', 'v2: ')
  const newest = vm('--root', 'sid', '--packages', 'cgroup-tools')
  suite(
    'beside cgroup-tools 3 and util-linux 2.42 in a VM: Debian sid, pure v2',
    newest,
    ['test/cgtools', 'test/utillinux'],
    '/out',
    'sid: ',
  )
  suite('scopes and delegation in a VM: Debian 13 with systemd', underSystemd, ['test/systemd'], '/out')
}

const words = [...outcomes.values()]
const skipped = [...outcomes].filter(([, word]) => word !== 'passed' && word !== 'failed')
for (const [name, word] of skipped) console.log(`skipped: ${name}: ${word}`)
for (const [name, word] of outcomes) if (word === 'failed') console.log(`FAILED: ${name}`)
failures = words.filter((word) => word === 'failed').length
if (process.env.CI && skipped.length > 0) console.log('in CI every test must run somewhere: a skip is a failure')
console.log(`\n${words.length - failures - skipped.length} passed, ${failures} failed, ${skipped.length} skipped`)
process.exitCode = failures > 0 || (process.env.CI && skipped.length > 0) ? 1 : 0
