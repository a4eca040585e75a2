// SPDX-License-Identifier: Apache-2.0
// npm test: every suite, here and in a VM with pure cgroup v2, and one line at the end that adds them up.
// A test that is skipped here but ran in a VM counts once, as run. In CI (CI=true) one that ran nowhere is a failure.
// Up to three tests that failed are run once more, alone: what passes then is told as unsteady (docs/decisions/0013).
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { bundledTests, bundleTests } from './bundle.js'

const kernels = process.argv.includes('--kernels')
const work = mkdtempSync(`${tmpdir()}/hutch-test-`)
/** Which rows of long tables are tried (test/support/sample.ts): the same here and in VMs, also over midnight. */
process.env.SAMPLE_SEED ??= String(Math.floor(Date.now() / 86_400_000))
/** Leaders of sessions of their own: no terminal's ^C reaches these. */
const apart = new Set()
process.on('exit', () => {
  for (const { pid } of apart) process.kill(-pid, 'SIGTERM')
  rmSync(work, { recursive: true, force: true })
})
for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }))
  process.on(signal, () => process.exit(128 + number))

/** test → 'passed' | 'failed' | reason of a skip; the best word of all runs stands. */
const outcomes = new Map()
/** Failed tests: where each ran (flags of vm-run, or undefined for this host; which of hutch's hosts), its file, its full name, and what it counts under. */
const failedTests = []
let failures = 0

/** How long each step, file and test took, in seconds: [seconds, name]. */
const durations = { steps: [], files: [], tests: [] }
/** Tests that this host could not run: the file and the full name. */
const skippedHere = []

/** Runs a command to its end: shown as it goes, or, beside others, whole at its end. */
async function step(title, command, args, { env = {}, quiet = false, detached = false } = {}) {
  const begun = performance.now()
  if (!quiet) console.log(`\n== ${title}`)
  const child = spawn(command, args, {
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    env: { ...process.env, ...env },
    detached,
  })
  if (detached) apart.add(child)
  const pieces = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data) => pieces.push(data))
  const [status] = await once(child, 'close')
  apart.delete(child)
  durations.steps.push([(performance.now() - begun) / 1000, title])
  if (quiet) console.log(`\n== ${title}\n${Buffer.concat(pieces)}`)
  return status === 0
}

async function check(title, command, args) {
  note(title, (await step(title, command, args, { quiet: true })) ? 'passed' : 'failed')
}

/** Runs vitest here, and takes its results over. With `host`, tests run the binary without Node, and count under another name. */
async function suite(title, args, host = undefined) {
  const out = mkdtempSync(`${work}/host-`)
  const again = host === undefined ? '' : `${host}: `
  collect({ title, again, flags: undefined, host, good: await onHost(title, args, out, host), out })
}

// in CI, without a terminal, in a session of its own: one that the kernel itself began has no weight (autogroup) to change
const onHost = (title, args, out, host) =>
  step(title, process.execPath, vitest(args, out), {
    detached: process.env.CI !== undefined,
    env: {
      NO_COLOR: '1',
      BUNDLED: bundledTests,
      ...(host && { HUTCH_HOST: host }),
      ...(kernels && { KILLS: '1000', SHAPES: 'all', CALLS: 'all', WHOLE: '1' }),
    },
  })

function vitest(args, out) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${out}/results.json`]
  return ['node_modules/.bin/vitest', 'run', ...reporters, ...args.map(translated)]
}

/** Returns where the translation of a file or folder of tests is. */
function translated(path) {
  return /^test\/(?!unit|rules)/.test(path) ? path.replace(/^test/, bundledTests).replace(/\.ts$/, '.js') : path
}

/** Returns which file of tests results are of. */
function sourceOf(path) {
  const [, name] = path.split(`${bundledTests}/`)
  return name === undefined ? path.slice(path.indexOf('/test/') + 1) : `test/${name.replace(/\.js$/, '.ts')}`
}

const forGuest = kernels ? 'KILLS=100 WHOLE=1' : `SAMPLE_SEED=${process.env.SAMPLE_SEED}`

/**
 * A suite for a VM: its title, flags of vm-run, folders, for a repetition on another kernel the name it is counted under, which
 * of hutch's hosts its commands run in, and words NAME=VALUE for its environment.
 */
async function vmSuite([title, flags, folders, again = '', host, env = '']) {
  const out = mkdtempSync(`${work}/vm-`)
  collect({ title, again, flags, host, env, good: await inGuest(title, flags, folders, out, host, env), out })
}

function inGuest(title, flags, vitestArgs, out, host = 'node', env = '') {
  // through cat, so that the guest's console is no terminal to draw on
  const shell = ['bash', '-o', 'pipefail', '-c', '"$@" | cat', '-', 'node']
  const args = ['--timeout', '2400', '--out', out, ...flags, '--', ...shell, ...vitest(vitestArgs, '/out')]
  // Beside the host's own tests, which time things, a guest takes what processor time they leave. With autogroups the weight of its session counts.
  const yielding = 'echo 15 2>/dev/null >/proc/self/autogroup; exec nice -n 15 "$@"'
  return step(title, 'sh', ['-c', yielding, 'sh', 'test/vm/vm-run', ...args], {
    detached: true,
    env: { NO_COLOR: '1', VM_ENV: `BUNDLED=${bundledTests} HUTCH_HOST=${host} ${forGuest} ${env}` },
    quiet: true,
  })
}

/** Runs the suites that wait, one after the other. A guest keeps one processor busy, so two of these may run at once. */
async function vmLane(waiting) {
  for (let next = waiting.shift(); next; next = waiting.shift()) await vmSuite(next)
}

function collect({ title, again, flags, host, env, good, out }) {
  const results = testResults(out)
  if (!results) return note(`${again}${title}`, 'failed')
  let failed = 0
  for (const file of results) {
    const name = sourceOf(file.name)
    const place = flags ? ' (in a VM)' : ''
    durations.files.push([(file.endTime - file.startTime) / 1000, `${again}${name}${place}`])
    for (const one of file.assertionResults) {
      const word =
        one.status === 'passed' ? 'passed' : one.status === 'failed' ? 'failed' : (one.meta?.skipped ?? 'skipped')
      // not selected by -t in a guest: a test of this name may not exist on the host
      if (flags && word === 'skipped') continue
      // it ran with Node, or is about Node
      if (host && word !== 'passed' && word !== 'failed') continue
      failed += Number(word === 'failed')
      durations.tests.push([(one.duration ?? 0) / 1000, `${again}${name} > ${one.fullName}${place}`])
      if (!flags && word !== 'passed' && word !== 'failed') skippedHere.push({ file: name, fullName: one.fullName })
      if (word === 'failed')
        failedTests.push({
          flags,
          host,
          env,
          file: name,
          fullName: one.fullName,
          as: `${again}${name} > ${one.fullName}`,
        })
      note(`${again}${name} > ${one.fullName}`, word)
    }
    if (file.status === 'failed' && file.assertionResults.every((one) => one.status !== 'failed'))
      note(`${again}${name}`, 'failed')
  }
  if (!good && failed === 0) note(`${again}${title}`, 'failed')
}

function testResults(out) {
  const file = `${out}/results.json`
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).testResults : undefined
}

/** Runs one failed test alone, where it failed; whether it and all that its file looks at afterwards are in order then. */
async function passesAlone({ flags, host, env, file, fullName, as }) {
  const out = mkdtempSync(`${work}/alone-`)
  const args = [file, '-t', onlyNamed([fullName])]
  const title = `once more, alone: ${as}`
  const good = await (flags ? inGuest(title, flags, args, out, host, env) : onHost(title, args, out, host))
  const ran = testResults(out)?.flatMap((one) => one.assertionResults) ?? []
  return good && ran.some((one) => one.fullName === fullName && one.status === 'passed')
}

/** Returns the pattern for vitest's -t that finds tests of these full names. */
function onlyNamed(names) {
  return `^(${names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')})$`
}

function note(name, word) {
  const before = outcomes.get(name)
  if (word === 'failed' || before === undefined || (before !== 'failed' && before !== 'passed'))
    outcomes.set(name, word)
}

/** Fuzzes the parsers of the C core, and the driver's own proof that it finds an overflow. */
async function fuzz(seconds, atOnce) {
  const waiting = ['compiled', 'decoder', 'order', 'status', 'toy']
  const work = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) {
      const title = `fuzz: ${target}`
      const time = target === 'toy' ? 30 : seconds
      const args = ['native/test/fuzz/run', target, String(time), String(Date.now() % 1_000_000)]
      note(title, (await step(title, 'sh', args, { quiet: true })) ? 'passed' : 'failed')
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

/** What the tests run things beside, or in: Debian's packages, which the VM then has, too. */
async function provideTools() {
  const wanted = {
    '/usr/bin/cgcreate': 'cgroup-tools',
    '/usr/bin/newuidmap': 'uidmap',
    '/bin/busybox': 'busybox-static',
    '/usr/bin/pasta': 'passt',
    '/usr/bin/slirp4netns': 'slirp4netns',
    '/usr/lib/cni/bridge': 'containernetworking-plugins',
    '/usr/sbin/iptables': 'iptables',
    '/usr/sbin/ip': 'iproute2',
    '/usr/include/seccomp.h': 'libseccomp-dev',
    '/usr/share/containers/seccomp.json': 'golang-github-containers-common',
    '/usr/bin/bwrap': 'bubblewrap',
    '/usr/sbin/runc': 'runc',
    '/usr/bin/podman': 'podman',
    '/usr/bin/conmon': 'conmon',
    '/usr/bin/containerd': 'containerd',
    '/usr/bin/java': 'default-jre-headless',
    '/usr/bin/gcc': 'gcc',
    '/usr/bin/git': 'git',
    '/usr/bin/jq': 'jq',
    '/usr/bin/make': 'make',
    '/usr/bin/python3': 'python3',
    '/usr/bin/sqlite3': 'sqlite3',
    '/usr/bin/strace': 'strace',
    '/usr/bin/xz': 'xz-utils',
    '/usr/bin/socat': 'socat',
    '/usr/bin/rg': 'ripgrep',
    '/usr/bin/prometheus': 'prometheus',
    '/usr/bin/systemd-analyze': 'systemd',
    '/usr/bin/tmux': 'tmux',
    '/usr/bin/chromium': 'chromium',
    '/usr/bin/mandoc': 'mandoc',
    '/usr/bin/setfattr': 'attr',
    '/usr/bin/zsh': 'zsh',
    '/usr/bin/fish': 'fish',
    '/usr/bin/aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu',
    '/usr/aarch64-linux-gnu/include/stdio.h': 'libc6-dev-arm64-cross',
    '/usr/bin/musl-gcc': 'musl-tools',
    '/usr/bin/qemu-aarch64-static': 'qemu-user-static',
  }
  const missing = Object.entries(wanted).flatMap(([path, name]) => (existsSync(path) ? [] : [name]))
  if (missing.length === 0 || process.getuid() !== 0 || !existsSync('/usr/bin/apt-get')) return
  const apt = 'apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300'
  const install = `${apt} update; ${apt} install -y --no-install-recommends ${missing.join(' ')}`
  await step(`installing ${missing.join(', ')}`, 'sh', ['-c', install], { env: { DEBIAN_FRONTEND: 'noninteractive' } })
}

/**
 * Files of tests in a folder of which `npm test` repeats some in a VM: that no control group's version bears on them, or
 * that they take minutes there, is said by a line in the file.
 */
function repeatedInVm(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => `${folder}/${name}`)
    .filter((path) => path.endsWith('.test.ts') && !readFileSync(path, 'utf8').includes(onlyWithKernels))
    .sort()
}
const onlyWithKernels = '// In a VM only in `npm run test:kernels`.'

/** One file in twenty-four that also ran here, by the day. */
const today = Math.floor(Date.now() / 86_400_000)
const ofToday = (files) => files.filter((_, i) => (i + today) % 24 === 0)

/** Suites for a VM of what this host could not run, in `count` parts of about as many files. */
function whatRanNowhere(count) {
  const namesOf = new Map()
  for (const { file, fullName } of skippedHere)
    if (/^test\/(kernel|cli|dashboard|escape|ends)\//.test(file) && outcomes.get(`${file} > ${fullName}`) !== 'passed')
      namesOf.set(file, [...(namesOf.get(file) ?? []), fullName])
  const files = [...namesOf.keys()].sort()
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part))
    .filter((some) => some.length > 0)
    .map((some, i) => [
      `what this host cannot run, in a VM: Linux 6.1, pure v2, part ${i + 1}`,
      [],
      [...some, '-t', onlyNamed([...new Set(some.flatMap((file) => namesOf.get(file)))])],
    ])
}

/** Files whose tests run the command `hutch`, and not only what Node alone has: for the binary without Node. */
function filesOfCommand() {
  const folders = ['cli', 'bwrap', 'utillinux', 'cgtools', 'docs', 'escape'].map((name) => `test/${name}`)
  const runs = /\bhutch\(|\/(command|console|side|ground|typed|anyone)\.ts'/
  return folders
    .flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`))
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => {
      const text = readFileSync(path, 'utf8')
      return runs.test(text) && !/beforeEach\(.{0,60}'hutch for Node'/s.test(text)
    })
    .sort()
}
const withoutNode = 'what runs hutch, with the binary without Node'

const inVm = ['test/kernel', 'test/cli', 'test/escape']
const userSystemd = ['--packages', 'dbus-user-session,libpam-systemd']
const programs = 'python3,gcc,libc6-dev,git'
const underSystemd = ['--kernel', 'trixie', '--root', 'trixie', '--systemd', ...userSystemd]

/** The newest callers of OCI runtimes, a suite for each of their files: hours without KVM, and crun refuses this host. */
function newestEngines() {
  const packages = execFileSync('test/engines/make-root', ['--packages', 'sid'], { encoding: 'utf8' }).trim()
  const root = ['--root', 'sid', '--packages', `${packages},gcc,libc6-dev,dbus-user-session`]
  const flags = ['--kernel', 'trixie', '--systemd', '--mem', '3072', '--timeout', '5400', ...root]
  const env = 'ENGINES=here CGROUP_MANAGER=systemd RUNTIME=runc,crun,hutch-oci'
  return readdirSync('test/engines')
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => [
      `OCI runtimes in a VM, Debian sid with systemd, pure v2: ${name}`,
      flags,
      [`test/engines/${name}`],
      'newest: ',
      undefined,
      env,
    ])
}

if (kernels) {
  await bundleTests()
  await provideTools()
  await check('the binary without Node', 'npm', ['run', 'build:standalone'])
  await fuzz(300, 2)
  const log = ['test/unit/host/kernel-log-fuzz.test.ts']
  process.env.HUTCH_FUZZ_SECONDS = '300'
  await suite('fuzz: records of the kernel log', log)
  await suite(
    'a thousand kills, ends of known cause, command lines beside the real tools, seccomp profiles of every shape, both hosts',
    [
      'test/standalone',
      'test/kernel/run/killed.test.ts',
      'test/ends',
      'test/bwrap/side-by-side.test.ts',
      'test/utillinux',
      'test/kernel/seccomp/seccomp-shapes.test.ts',
    ],
  )
  await suite('what long workloads need', ['--project', 'advise'])
  await suite(withoutNode, filesOfCommand(), 'standalone')
  const waiting = [
    ...['bookworm', 'trixie', 'sid'].map((kernel) => [
      `kernel tests on ${kernel}'s kernel, pure v2`,
      ['--kernel', kernel],
      inVm,
      `${kernel}: `,
    ]),
    // what this host cannot make counts as run there
    ...['bookworm', 'trixie', 'sid'].map((kernel) => [
      `ends of known cause on ${kernel}'s kernel, pure v2`,
      ['--kernel', kernel],
      ['test/ends'],
      kernel === 'trixie' ? '' : `${kernel}: `,
    ]),
    ['beside cgroup-tools 2.0 in a VM: pure v2', [], ['test/cgtools'], 'v2: '],
    ...['hybrid', 'v1'].map((layout) => [`kernel tests on 6.1, ${layout}`, ['--layout', layout], inVm, `${layout}: `]),
    ...['hybrid', 'v1'].map((layout) => [
      `ends of known cause on 6.1, ${layout}`,
      ['--layout', layout],
      ['test/ends'],
      `${layout}: `,
    ]),
    ['what short workloads need, in a VM: pure v2', [], ['test/advise/short.test.ts'], 'v2: '],
    [
      'kernel tests under systemd',
      [...underSystemd.slice(0, -1), `${underSystemd.at(-1)},${programs}`],
      ['test/kernel'],
      'systemd: ',
    ],
    [
      'beside the newest util-linux in a VM: Debian sid, pure v2',
      ['--root', 'sid', '--packages', 'cgroup-tools,uidmap'],
      ['test/utillinux'],
      'newest: ',
    ],
    [
      'beside the newest bubblewrap in a VM: Debian sid, pure v2',
      ['--root', 'sid', '--packages', 'cgroup-tools,uidmap,bubblewrap'],
      ['test/bwrap/side-by-side.test.ts'],
      'newest: ',
    ],
    ['scopes and delegation in a VM: Debian 13 with systemd', underSystemd, ['test/systemd']],
    ...newestEngines(),
  ]
  await Promise.all([vmLane(waiting), vmLane(waiting)])
} else {
  const tools = provideTools()
  const checks = async () => {
    await check('lint', 'node_modules/.bin/biome', ['check', '.'])
    await check('types', 'node_modules/.bin/tsc', ['--noEmit'])
    // musl-gcc is one of the tools
    await tools
    await check('the binary without Node', 'npm', ['run', 'build:standalone'])
    await check("types of the dashboard's page", 'node_modules/.bin/tsc', ['-p', 'src/ui/dashboard/page'])
    await check('types of the page of hutch advise', 'node_modules/.bin/tsc', ['-p', 'src/ui/advice/page'])
    await check('the C core under sanitizers', 'sh', ['native/test/run'])
    await fuzz(10, 1)
  }
  const units = async () => {
    await bundleTests()
    await tools
    await suite('tests of functions, on this host', ['--project', 'unit'])
  }
  await Promise.all([checks(), units()])
  const beside = [
    ['scopes and delegation in a VM: Debian 13 with systemd', underSystemd, ['test/systemd'], '', 'standalone'],
    ['what short workloads need, in a VM: Linux 6.1, pure v2', [], ['test/advise/short.test.ts'], 'v2: '],
    ['attempts to escape, and ends of known cause, in a VM: Linux 6.1, pure v2', [], ['test/escape', 'test/ends']],
    [
      'beside cgroup-tools 3 in a VM: Debian sid, pure v2',
      ['--root', 'sid', '--packages', 'cgroup-tools,uidmap'],
      ['test/cgtools'],
      'sid: ',
      'standalone',
    ],
    [
      'tests of today in a VM: Linux 6.1, pure v2',
      [],
      ofToday(['test/kernel', 'test/cli', 'test/dashboard'].flatMap(repeatedInVm)),
      'standalone: ',
      'standalone',
    ],
  ]
  const guest = vmLane(beside)
  await suite('all other tests on this host', ['--project', 'kernel', '--project', 'alone'])
  Object.assign(process.env, { ENGINES: 'here', RUNTIME: 'hutch-oci' })
  await suite('Podman and containerd over hutch-oci', ['test/engines/everyday.test.ts'])
  // one file in three, by the day
  await suite(
    withoutNode,
    filesOfCommand().filter((_, i) => (i + today) % 3 === 0),
    'standalone',
  )
  beside.push(...whatRanNowhere(2))
  await Promise.all([guest.then(() => vmLane(beside)), vmLane(beside)])
}

const unsteady = []
if (failedTests.length <= 3) {
  for (const test of failedTests) test.passes = await passesAlone(test)
  for (const name of new Set(failedTests.map(({ as }) => as)))
    if (failedTests.every(({ as, passes }) => as !== name || passes)) unsteady.push(name)
}
for (const name of unsteady) outcomes.set(name, 'passed')

const words = [...outcomes.values()]
const skipped = [...outcomes].filter(([, word]) => word !== 'passed' && word !== 'failed')
for (const [name, word] of skipped) console.log(`skipped: ${name}: ${word}`)
for (const [name, word] of outcomes) if (word === 'failed') console.log(`FAILED: ${name}`)
failures = words.filter((word) => word === 'failed').length
for (const name of unsteady) console.log(`unsteady: ${name}: failed, and passed alone; mend it`)
if (process.env.CI && skipped.length > 0) console.log('in CI every test must run somewhere: a skip is a failure')
for (const [what, rows] of Object.entries(durations)) {
  console.log(`slowest ${what}:`)
  const slowest = rows.sort(([a], [b]) => b - a).slice(0, what === 'steps' ? 20 : 10)
  for (const [seconds, name] of slowest) console.log(`${seconds.toFixed(1).padStart(8)} s  ${name}`)
}
console.log(`\n${words.length - failures - skipped.length} passed, ${failures} failed, ${skipped.length} skipped`)
process.exitCode = failures > 0 || (process.env.CI && skipped.length > 0) ? 1 : 0
