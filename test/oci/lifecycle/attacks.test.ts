// SPDX-License-Identifier: Apache-2.0
// Containers that attack the runtime when it creates them, enters them and changes their limits, as they attacked runc, crun and
// youki. Each attack has a control: what a careless way does, which gets through. Where words or a profile are refused, the control is the same
// command without them.
import { execFileSync, type StdioOptions, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterAll, beforeEach, expect, test, vi } from 'vitest'
import { hutchPath } from '../../support/command.ts'
import { compileProgram } from '../../support/compile.ts'
import { defaultCapabilities } from '../../support/container.ts'
import { hierarchyMounts } from '../../support/oci-groups.ts'
import { makeGround } from '../../support/oci-runtime.ts'
import { requires } from '../../support/requires.ts'

const ground = makeGround('hutch')
const { call, image } = ground
afterAll(ground.remove)
beforeEach((context) => requires(context, 'root', 'busybox'))

const caps = defaultCapabilities
const likeDocker = { 'process.capabilities': { bounding: caps, permitted: caps, effective: caps } }
const proc = { destination: '/proc', type: 'proc', source: 'proc' }
const groups = (...options: string[]) => ({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options })
const sysfs = { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] }
const bind = (source: string, destination: string) => ({ destination, type: 'bind', source, options: ['bind'] })
const hash = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex')

/** Descriptors of the host's root: what a careless caller or runtime leaves open. */
const hostRoot = () => [openSync('/', 'r')]
/** Prints the container's root, and what is above the working directory: the same, unless that is outside. */
const inodes = ['sh', '-c', 'set -- $(stat -c %d:%i / ../../../../../../../../..); [ $1 = $2 ] || echo escaped']
const numbers = Array.from({ length: 14 }, (_, i) => i + 3)

test('no descriptor of the runtime is a working directory (CVE-2024-21626)', () => {
  const id = ground.started()
  for (const number of numbers) {
    const cwd = `/proc/self/fd/${number}`
    const other = ground.newId()
    const bundle = ground.bundle(other, { 'process.cwd': cwd, 'process.args': inodes })
    for (const words of [
      ['run', '--bundle', bundle, other],
      ['exec', '--cwd', cwd, id, ...inodes],
    ]) {
      // a descriptor of the set-up can lead to a directory of the container
      expect(call(words).stdout, `${words[0]} in ${cwd}`).toBe('')
    }
  }
  expect(ground.status(id)).toBe('running')
  // not even one that the caller passes on, although that one leads there
  const passed = call(['exec', '--preserve-fds', '1', '--cwd', '/proc/self/fd/3', id, 'ls'], { extra: hostRoot() })
  expect([passed.status !== 0, passed.stdout]).toEqual([true, ''])
  const control = ['exec', '--preserve-fds', '1', id, 'sh', '-c', `cd /proc/self/fd/3; ${inodes[2]}`]
  expect(call(control, { extra: hostRoot() }).stdout).toBe('escaped\n')
})

test('a container sees nothing of the processes that enter it (CVE-2016-9962, CVE-2019-5736, CVE-2024-21626)', async () => {
  const output = `${ground.path}/probed`
  writeFileSync(output, '')
  compileProgram('probe-others', `${image}/bin/probe-others`, '-static')
  const before = hash(hutchPath)
  const args = ['sh', '-c', 'exec probe-others > /output']
  const id = ground.started({ ...likeDocker, mounts: [proc, bind(output, '/output')], 'process.args': args })
  const seen = () => readFileSync(output, 'utf8').trimEnd().split('\n')
  await vi.waitFor(() => expect(seen()).toEqual(['looks']), 10_000)
  for (let i = 0; i < 20; i++) expect(call(['exec', id, 'true']).status).toBe(0)
  expect(seen()).toEqual(['looks'])
  // here the command itself is a copy of the runtime's program, which can be traced as any command, and not be written
  expect(call(['exec', id, '/proc/self/exe']).status).not.toBe(0)
  const ofCommand = ['program', 'memory', 'traced'].map((kind) => `${kind} /memfd:hutch-init (deleted)`)
  expect(seen().filter((line) => !ofCommand.includes(line))).toEqual(['looks'])
  expect(hash(hutchPath)).toBe(before)
  // the control: a descriptor that the caller itself passes on is seen
  const control = ground.begin(['exec', '--preserve-fds', '1', id, 'sleep', '1000'], { extra: hostRoot() })
  await vi.waitFor(() => expect(seen()).toContain('descriptor /'), 10_000)
  expect(call(['kill', id, 'KILL']).status).toBe(0)
  await control
})

test('no process has inheritable capabilities that its configuration does not name (CVE-2022-24769, CVE-2022-27650, CVE-2022-29162, CVE-2025-27612)', () => {
  const id = ground.started(likeDocker)
  const inheritable = (...words: string[]) =>
    /^CapInh:\s+(\w+)$/m.exec(call([...words, 'cat', '/proc/self/status']).stdout)?.[1]
  expect(inheritable('exec', id)).toBe('0000000000000000')
  expect(inheritable('exec', '--cap', 'CAP_NET_ADMIN', id)).toBe('0000000000000000')
  expect(inheritable('exec', '--user', '1', id)).toBe('0000000000000000')
  const control = ground.started({ 'process.capabilities.inheritable': ['CAP_CHOWN'] })
  expect(inheritable('exec', control)).toBe('0000000000000001')
})

test.for(['1', '1:1', '01', '4294967294'])('exec of user %s is not root (CVE-2026-30892)', (user) => {
  const id = ground.started(likeDocker)
  expect(call(['exec', '--user', user, id, 'id', '-u']).stdout).toBe(`${Number.parseInt(user, 10)}\n`)
  expect(call(['exec', '--user', '0', id, 'id', '-u']).stdout).toBe('0\n')
})

test.for(['-1', '4294967295', '99999999999', 'root', '1:', ':1', '1:1:1', '1x', '0x1', ' 1'])(
  'exec of the unclear user %j is refused',
  (user) => {
    const id = ground.started(likeDocker)
    const { status, stdout } = call(['exec', `--user=${user}`, id, 'id', '-u'])
    // the control: the same words with a clear user
    expect(call(['exec', '--user=2', id, 'id', '-u'])).toMatchObject({ status: 0, stdout: '2\n' })
    expect([status, stdout]).toEqual([255, ''])
  },
)

test('a security profile that this host cannot apply is refused, never left out (CVE-2019-16884, CVE-2023-28642)', () => {
  const active = existsSync('/sys/kernel/security/lsm') ? readFileSync('/sys/kernel/security/lsm', 'utf8') : ''
  const running = ground.started()
  for (const [lsm, property, option] of [
    ['apparmor', 'apparmorProfile', '--apparmor'],
    ['selinux', 'selinuxLabel', '--process-label'],
  ] as const) {
    // the profile does not exist, so it is refused with the module, too
    const id = ground.newId()
    const bundle = ground.bundle(id, { [`process.${property}`]: 'hutch-no-such-profile' })
    expect(call(['create', '--bundle', bundle, id]).status, active).toBe(1)
    expect(call(['exec', option, 'hutch-no-such-profile', running, 'true']).status, lsm).toBe(255)
  }
  // the control: without a profile both commands succeed
  expect(call(['exec', running, 'true']).status).toBe(0)
  const id = ground.newId()
  expect(call(['create', '--bundle', ground.bundle(id), id]).status).toBe(0)
})

test('without a cgroup namespace a container can write only its own groups (CVE-2023-25809)', () => {
  const without = ['mount', 'pid', 'uts', 'ipc'].map((type) => ({ type }))
  const name = `hutch-${process.pid}-escaped`
  const script = `for d in /sys/fs/cgroup /sys/fs/cgroup/* ; do mkdir $d/${name} 2>/dev/null; done; true`
  const top = '/sys/fs/cgroup'
  const places = () => [top, ...readdirSync(top).map((entry) => `${top}/${entry}`)]
  const attempt = (...mounts: object[]) => {
    const id = ground.newId()
    const changes = {
      // with CAP_DAC_OVERRIDE: the kernel makes the groups at the top read-only
      ...likeDocker,
      'linux.namespaces': without,
      mounts: [proc, sysfs, ...mounts],
      'process.args': ['sh', '-c', script],
    }
    const { stderr } = call(['run', '--keep', '--bundle', ground.bundle(id, changes), id])
    const made = places().filter((place) => existsSync(`${place}/${name}`))
    const own = hierarchyMounts().filter((mount) => existsSync(`${mount}/${id}/${name}`))
    call(['delete', '--force', id])
    return { made, own: own.length > 0, stderr }
  }
  expect(attempt(groups('rw'))).toEqual({ made: [], own: true, stderr: '' })
  expect(attempt(groups('ro'))).toEqual({ made: [], own: false, stderr: '' })
  // the control: the tree of the host, without the container's own groups as its roots
  const tree = { destination: '/sys/fs/cgroup', type: 'bind', source: '/sys/fs/cgroup', options: ['rbind', 'rw'] }
  const { made, stderr } = attempt(tree)
  expect(stderr).toBe('')
  for (const place of made.reverse()) rmdirSync(`${place}/${name}`)
  expect(made.length).toBeGreaterThan(0)
})

test('the terminal is not mounted over what a link of the image names (CVE-2025-52565)', () => {
  symlinkSync('../data/bait', `${image}/dev/console`)
  writeFileSync(`${image}/data/bait`, 'bait\n')
  const id = ground.newId()
  const args = ['sh', '-c', 'test -c /data/bait && echo led; cat /data/bait']
  const pts = { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['newinstance', 'ptmxmode=0666'] }
  const changes = { 'process.terminal': true, 'process.args': args, mounts: [proc, pts] }
  const { status, stdout } = call(['run', '--bundle', ground.bundle(id, changes), id])
  expect(stdout).not.toMatch(/led/)
  if (status === 0) expect(stdout).toMatch(/^bait/)
  expect(readFileSync(`${image}/data/bait`, 'utf8')).toBe('bait\n')
  // the control: who mounts a device by the name of its target is led to what the link names
  const naive = `mount --bind /dev/null ${image}/dev/console; test -c ${image}/data/bait && echo led`
  expect(execFileSync('unshare', ['-m', 'sh', '-c', naive], { encoding: 'utf8' })).toBe('led\n')
  rmSync(`${image}/dev/console`)
})

/** Reads a container's /etc/passwd by its name, as a careless runtime does: at most 2 MiB, and half a second. */
const readByName = (id: string) => {
  const stdin = `${ground.path}/stdin`
  writeFileSync(stdin, 'user:x:1:1::/led:/bin/sh\n')
  const fd = openSync(stdin, 'r')
  const file = `/proc/${ground.pid(id)}/root/etc/passwd`
  const stdio: StdioOptions = [fd, 'pipe', 'pipe']
  const read = spawnSync('head', ['-c', `${2 << 20}`, file], {
    encoding: 'latin1',
    timeout: 500,
    maxBuffer: 4 << 20,
    stdio,
  })
  closeSync(fd)
  return read
}

test.for<[string, string, (read: ReturnType<typeof readByName>) => unknown]>([
  ['a pipe', 'mkfifo /etc/passwd', ({ signal }) => signal],
  ['a directory', 'mkdir /etc/passwd', ({ stderr }) => /directory/.test(stderr)],
  [
    "a link to the host's file",
    'ln -s /../../../../../../../etc/passwd /etc/passwd',
    ({ stdout }) => stdout === readFileSync('/etc/passwd', 'latin1'),
  ],
  ['a link to a descriptor', 'ln -s /proc/self/fd/0 /etc/passwd', ({ stdout }) => stdout.includes('/led')],
  ['a link to itself', 'ln -s passwd /etc/passwd', ({ stderr }) => /symbolic links/.test(stderr)],
  ['an endless device', 'mknod /etc/passwd c 1 5', ({ stdout }) => stdout.length === 2 << 20],
])('exec reads nothing from an /etc/passwd that is %s', ([, make, isLed]) => {
  const etc = { destination: '/etc', type: 'tmpfs', source: 'tmpfs' }
  const id = ground.started({ mounts: [proc, etc] })
  const home = () => call(['exec', '--user', '1', id, 'sh', '-c', 'echo $HOME'])
  expect(call(['exec', id, 'busybox', 'sh', '-c', make])).toMatchObject({ status: 0 })
  expect(home()).toEqual({ status: 0, stdout: '/\n', stderr: '' })
  // the controls: who reads the file by its name gets what the container wants, and a plain file is read
  expect(isLed(readByName(id))).toBeTruthy()
  const plain = 'rm -rf /etc/passwd; echo user:x:1:1::/found:/bin/sh > /etc/passwd'
  expect(call(['exec', id, 'busybox', 'sh', '-c', plain])).toMatchObject({ status: 0 })
  expect(home().stdout).toBe('/found\n')
})

test('exec sets attributes by the /proc of the host, not by what stands for it in the container (CVE-2025-62596)', () => {
  const fake = { destination: '/proc', type: 'tmpfs', source: 'tmpfs' }
  const id = ground.started({ mounts: [fake] })
  const make =
    'mkdir -p /proc/self/attr /proc/self/fd /proc/thread-self/attr; for f in oom_score_adj attr/exec; do :> /proc/self/$f; :> /proc/thread-self/$f; done'
  expect(call(['exec', id, 'sh', '-c', make])).toMatchObject({ status: 0, stderr: '' })
  const file = `${ground.path}/process.json`
  const process = { args: ['sleep', '1000'], cwd: '/', env: ['PATH=/bin'], oomScoreAdj: 321, user: { uid: 0, gid: 0 } }
  writeFileSync(file, JSON.stringify(process))
  const pidFile = `${ground.path}/${id}.exec`
  expect(call(['exec', '--detach', '--pid-file', pidFile, '--process', file, id])).toMatchObject({ status: 0 })
  expect(readFileSync(`/proc/${readFileSync(pidFile, 'utf8')}/oom_score_adj`, 'utf8')).toBe('321\n')
  const script = 'cat /proc/self/oom_score_adj /proc/thread-self/oom_score_adj /proc/thread-self/attr/exec'
  expect(call(['exec', id, 'sh', '-c', script]).stdout).toBe('')
  // the control: who writes by names in the container's root believes that it was done
  writeFileSync(`/proc/${ground.pid(id)}/root/proc/self/oom_score_adj`, '321', { flag: 'r+' })
  expect(call(['exec', id, 'sh', '-c', script]).stdout).toBe('321')
})

test('a container that rearranges its groups does not lead update or delete elsewhere', () => {
  const bystander = ground.started({ 'linux.resources.pids.limit': 50 })
  const id = ground.started({ mounts: [proc, sysfs, groups('rw')] })
  const script =
    'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir -p $d/a/b/c 2>/dev/null; echo 1 > $d/a/cgroup.procs; done; true'
  expect(call(['exec', id, 'sh', '-c', script]).status).toBe(0)
  expect(call(['update', '--pids-limit', '30', id])).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(call(['exec', id, 'true']).status).toBe(0)
  // the control: who removes only the groups that the runtime has made is refused
  const own = hierarchyMounts()
    .map((mount) => `${mount}/${id}`)
    .filter(existsSync)
  expect(() => own.forEach((group) => void rmdirSync(group))).toThrow(/EBUSY|ENOTEMPTY/)
  expect(call(['delete', '--force', id])).toEqual({ status: 0, stdout: '', stderr: '' })
  expect(hierarchyMounts().filter((mount) => existsSync(`${mount}/${id}`))).toEqual([])
  expect(JSON.parse(call(['events', '--stats', bystander]).stdout).data.pids).toMatchObject({ current: 1, limit: 50 })
  expect(readdirSync(ground.root)).toContain(bystander)
})
