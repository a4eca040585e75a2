// SPDX-License-Identifier: Apache-2.0
// hutch compile: what it writes does as hutch run does, and says so when it cannot.
// In a VM only in `npm run test:kernels`.
import { copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readHost } from '../../src/host/host.ts'
import { makeImage, workplace } from '../support/image.ts'
import { requires } from '../support/requires.ts'
import { collect, hutch } from './hutch.ts'

const place = workplace()
const image = `${place.path}/image`
const file = `${place.path}/file`

beforeAll(() => {
  makeImage(image)
  mkdirSync(`${place.path}/data`)
  writeFileSync(`${place.path}/data/a`, 'from outside\n')
})
afterAll(place.remove)

async function compile(args: string[], output = file): Promise<string> {
  const { status, stderr } = await hutch(['compile', '--output', output, ...args])
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return output
}

/** Until a timeout, by which the command must have come to what it waits in. */
const soon = process.env.VM ? '10s' : '2s'
const sh = (line: string) => ['--', 'sh', '-c', line]
const inImage = ['--isolate', 'all', '--rootfs', image]
const bare = [...inImage, '--env', 'PATH=/bin']
const mapped = ['--map-users', '0:100000:65536', '--user', '0']
const idmapped = ['--volume', `${place.path}/data:/srv:ro,idmap`, '--volume', `${place.path}/data:/mnt:idmap`]

const cases: [title: string, args: string[]][] = [
  ['an exit status', sh('exit 3')],
  ['a signal', sh('kill -TERM $$')],
  ['a signal without namespaces', ['--isolate', 'none', ...sh('kill -KILL $$')]],
  ['its own fault', sh('kill -SEGV $$')],
  ['a command that is not there', ['--', 'no-such-command']],
  ['a command that is no program', ['--', '/etc/passwd']],
  ['a script without its interpreter', ['--', `${place.path}/script`]],
  ['a timeout', ['--timeout', '200ms', '--', 'sleep', '10']],
  [
    'a timeout that is ignored',
    ['--timeout', soon, '--kill-after', '100ms', ...sh('trap "" TERM; sleep 60; sleep 60')],
  ],
  [
    'a timeout behind kills for memory',
    ['--memory', '8M', '--swap', '0', '--timeout', soon, ...sh('tail /dev/zero; exec sleep 60')],
  ],
  [
    'a timeout behind refused forks',
    ['--pids', '3', '--timeout', soon, ...sh('(sleep 60 & sleep 60 & sleep 60) 2>&1 > /dev/null; exec sleep 60')],
  ],
  [
    'a timeout without a free descriptor',
    ['--ulimit', 'nofile=4', '--timeout', soon, ...sh('sleep 60 & exec 3< /dev/null; wait')],
  ],
  ['no namespaces', ['--isolate', 'none', ...sh('echo up')]],
  ['all namespaces', ['--isolate', 'all', ...sh('echo $$; set -- /proc/[0-9]*; echo $#; cat /proc/net/dev | wc -l')]],
  ['all eight', ['--isolate', 'pid,mount,ipc,uts,net,cgroup,user,time', ...sh('id -u; cat /proc/self/uid_map')]],
  ['no init', ['--no-init', ...sh('echo $$')]],
  ['a host name', ['--hostname', 'burrow', ...sh('uname -n')]],
  ['clocks', ['--isolate', 'time', '--time-offset', 'boottime=+1000000s', ...sh('cut -c1-4 /proc/uptime')]],
  ['a user', ['--user', '1234:1234', ...sh('id -u; id -g; id -G')]],
  ['groups', ['--groups', '7,8', ...sh('id -G')]],
  ['dropped capabilities', ['--cap-drop', 'ALL', ...sh('grep Cap /proc/self/status')]],
  ['one more capability', ['--cap-drop', 'ALL', '--cap-add', 'NET_RAW', ...sh('grep Cap /proc/self/status')]],
  ['no_new_privs', sh('grep NoNewPrivs /proc/self/status')],
  ['new privileges', ['--new-privileges', ...sh('grep NoNewPrivs /proc/self/status')]],
  ['limits of each process', ['--ulimit', 'nofile=77', '--nice', '5', ...sh('ulimit -n; nice')]],
  ['a working directory', ['--workdir', '/usr', ...sh('pwd')]],
  ['a working directory that is not there', ['--workdir', '/no/such', ...sh('pwd')]],
  ['variables', ['--env', 'A=one two', '--env', 'B=', ...sh('echo "$A|$B"')]],
  ['a path of its own', ['--env', 'PATH=/bin:/usr/bin', ...sh('echo hi')]],
  ['a root', [...bare, ...sh('ls /; pwd; grep -c . /proc/mounts')]],
  ['a read-only root', [...bare, '--read-only', ...sh('touch /x 2>&1; echo $?')]],
  ['a volume', [...bare, '--volume', `${place.path}/data:/data:ro`, ...sh('cat /data/a; touch /data/b; echo $?')]],
  [
    'a tmpfs',
    [...bare, '--tmpfs', '/tmp:size=1M', ...sh('dd if=/dev/zero of=/tmp/x bs=64k count=64 2>/dev/null; echo $?')],
  ],
  [
    'a device that may only be read',
    [
      ...bare,
      '--cap-add',
      'SYSLOG',
      '--device',
      '/dev/kmsg:/dev/k:r',
      ...sh('(: < /dev/k) && echo read; (: > /dev/k) 2>&1'),
    ],
  ],
  ['a device that is in no list', [...bare, '--tmpfs', '/tmp:dev', ...sh('mknod /tmp/k c 1 11; (: < /tmp/k) 2>&1')]],
  // in a VM the files are on an overlay, whose ids cannot be mapped
  ...(process.env.VM
    ? []
    : ([
        [
          'an idmapped volume',
          [...mapped, '--volume', `${place.path}/data:/mnt:idmap`, ...sh('stat -c %u /mnt/a; cat /proc/self/uid_map')],
        ],
        ['two idmapped volumes', [...mapped, ...idmapped, ...sh('stat -c %u /srv /mnt; (: > /srv/x) 2>&1; echo $?')]],
      ] as [string, string[]][])),
  ['a filter of system calls', ['--seccomp', 'strict', ...sh('unshare -m true 2>&1; grep Seccomp: /proc/self/status')]],
  ['an overlay', [...bare, '--overlay', `${place.path}/data:/data`, ...sh('echo x > /data/b && cat /data/a')]],
  ['a root that is not there', ['--rootfs', `${place.path}/none`, ...sh('true')]],
  ['a volume that is not there', ['--volume', `${place.path}/none:/tmp`, ...sh('true')]],
  ['quiet', ['--quiet', ...sh('kill -TERM $$')]],
]

/** What only a run can tell (it also looks at a program that cannot be executed), and where the command's search path leads: not compared. */
const plain = (text: string) =>
  text
    .replace(/^ {2}(memory\.max|memory use|looked in|whose limit|pids\.max|victim).*\n/gm, '')
    .replace(/run it once (?:under hutch run )?with --memory \d+[MG]/, 'run it once with --memory N')
    .replace(/^hutch: .* its restrictions may have denied.*\n/gm, '')
    .replace(/killed \d+ ms later/, 'killed later')
    .replace(/(cannot run \S+): .*\(EACCES\)\n {2}remedy .*\n/, '$1: (EACCES)\n')
    .replace(/^.*(sh: )/gm, '$1')

for (const [title, args] of cases)
  test(`does as run does: ${title}`, async (context) => {
    requires(context, 'root', 'busybox')
    writeFileSync(`${place.path}/script`, '#!/no/such/interpreter\n', { mode: 0o755 })
    const asRun = await hutch(['run', ...args])
    const compiled = await collect(await compile(args), [])
    expect({ ...compiled, stderr: plain(compiled.stderr) }).toEqual({ ...asRun, stderr: plain(asRun.stderr) })
  })

test('--json names the file and its size', async () => {
  const { stdout } = await hutch(['compile', '--output', file, '--json', '--', 'true'])
  expect(JSON.parse(stdout)).toEqual({ file, bytes: statSync(file).size })
})

test('tells of memory and of tasks as run does', async (context) => {
  requires(context, 'root')
  const eat = await collect(await compile(['--memory', '20M', '--swap', '0', ...sh('tail /dev/zero')]), [])
  expect(eat.status).toBe(137)
  expect(eat.stderr).toMatch(
    /hutch: 1 process was killed \(OOM\): memory.max \(20.0 MiB\) was reached; sh exited with status 137\n {2}memory.max {3}20.0 MiB {3}.*oom_kill 1\n {2}whose limit/,
  )
  const fork = await collect(await compile(['--pids', '2', ...sh('true & true & wait')]), [])
  expect(fork.status).not.toBe(0)
  expect(fork.stderr).toMatch(/hutch: \d+ forks? (was|were) refused: pids.max \(2\) was reached; sh exited with status/)
})

test('passes arguments and environment of the call on, when told to', async () => {
  await compile([
    '--pass-args',
    '--env',
    'SET=here',
    '--env',
    'KEPT',
    '--',
    'sh',
    '-c',
    'echo "$0|$*|$SET|$KEPT|$PATH"',
    'zero',
  ])
  const env = { PATH: '/usr/bin:/bin', KEPT: 'kept', SET: 'call' }
  expect(await collect(file, ['one', '--hutch-explain', '', 'a b'], { env })).toEqual({
    status: 0,
    stdout: 'zero|one --hutch-explain  a b|here|kept|/usr/bin:/bin\n',
    stderr: '',
  })
  expect((await collect(file, [], { env: {} })).stdout).toMatch(/^zero\|\|here\|\|\/usr\/local\/sbin:/)
})

test('takes no arguments otherwise', async () => {
  await compile(['--', 'true'])
  const { status, stderr } = await collect(file, ['x'])
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: `hutch: cannot start ${file}: it takes no arguments\n  remedy       leave them out, or compile it with --pass-args\n`,
  })
})

test('explains itself as run --explain does', async () => {
  const args = ['--memory', '20M', '--isolate', 'pid', '--', 'true']
  const run = await hutch(['run', '--explain', ...args])
  const { status, stdout } = await collect(await compile(args), ['--hutch-explain'])
  expect(status).toBe(0)
  // a start enables controllers beside the program, and may find itself in another group
  const own = Object.values(readHost().v1).filter((hierarchy) => hierarchy.own !== hierarchy.mount)
  const fromRoot = (text: string) =>
    own.reduce((all, one) => all.replaceAll(`${one.own}/`, `${one.mount}/`), text.replaceAll('/OWN-GROUP', ''))
  const named = (text: string) =>
    fromRoot(text)
      .split('\nthe same by hand')[0]!
      .split('\n')
      .filter((line) => !/subtree_control|read memory/.test(line))
      .map((line) => line.replace(/^ +\d+ +/, '').replaceAll(/hutch-[A-Z\d]+-[A-Z\d]+-[A-Z\d]+-\d/g, 'GROUP'))
  expect(named(stdout)).toEqual(named(run.stdout))
})

test('works where it was moved to, is small and executable', async () => {
  await compile(['--isolate', 'all', '--', 'echo', 'moved'])
  copyFileSync(file, `${place.path}/data/moved`)
  expect((await collect(`${place.path}/data/moved`, [], { cwd: '/' })).stdout).toBe('moved\n')
  expect(statSync(file).mode & 0o777).toBe(0o755)
  expect(statSync(file).size).toBeLessThan(200 * 1024)
})

test('a damaged file says so', async () => {
  await compile(['--', 'echo', 'whole'])
  const bytes = readFileSync(file)
  const broken = `${place.path}/broken`
  for (const at of [bytes.length - 40, bytes.length - 2000, bytes.length - 12]) {
    const copy = Buffer.from(bytes)
    copy[at]! ^= 0x40
    writeFileSync(broken, copy, { mode: 0o755 })
    const { status, stdout, stderr } = await collect(broken, [])
    expect([at, status, stdout]).toEqual([at, 125, ''])
    expect(stderr).toContain('it is damaged: its bytes are not those that were written')
  }
  writeFileSync(broken, bytes, { mode: 0o755 })
  for (const less of [1, 4, 33, 3000]) {
    truncateSync(broken, bytes.length - less)
    const { status, stderr } = await collect(broken, [])
    expect(status).toBe(125)
    expect(stderr).toContain('the file was truncated or stripped')
  }
})

test('refuses what it was not compiled for', async (context) => {
  requires(context, 'root')
  await compile(['--', 'true'])
  await collect('chmod', ['a+rx', place.path])
  const other = await collect('setpriv', ['--reuid', '1234', '--clear-groups', file])
  expect(other.status).toBe(125)
  expect(other.stderr).toBe(
    `hutch: cannot start ${file} here: it was compiled for another user\n  expected     0\n  found        1234\n  remedy       compile it again here, as this user: hutch compile\n`,
  )
  const fewer = await collect('setpriv', ['--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin', file])
  expect(fewer.status).toBe(125)
  expect(fewer.stderr).toMatch(/compiled for another set of capabilities\n {2}expected {5}[0-9a-f]+\n {2}found/)
})

test('refuses by name what takes a hutch that lives, and an output that cannot be', async () => {
  for (const [args, name] of [
    [['--report', 'x'], '--report'],
    [['--cpu-time', '1s'], '--cpu-time'],
    [['--stdout', 'x'], '--stdout'],
    [['--explain'], '--explain'],
    [['--verbose'], '--verbose'],
    [['--evacuate'], '--evacuate'],
    [['--network', 'private'], '--network'],
    [['--network', 'cni:web'], '--network'],
    [['--network', 'private', '--publish', '8080:80'], '--network'],
    [['--join', `net=${process.pid}`], '--join'],
  ] as const) {
    const { status, stderr } = await hutch(['compile', '--output', file, ...args, '--', 'true'])
    expect([name, status]).toEqual([name, 125])
    expect(stderr).toContain(`hutch: cannot use ${name}`)
  }
  symlinkSync(file, `${place.path}/link`)
  for (const output of [`${place.path}/link`, place.path, `${place.path}/no/file`]) {
    const { status, stderr } = await hutch(['compile', '--output', output, '--', 'true'])
    expect(status).toBe(125)
    expect(stderr).toContain('--output')
  }
  const { status, stderr } = await hutch(['compile', '--', 'true'])
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr: 'hutch: invalid value "" for --output: missing\n  remedy: give the file to write\n',
  })
})
