// SPDX-License-Identifier: Apache-2.0
// A root file system of its own: what is seen in it, what can be written, and that nothing of the host shows.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { run } from '../../../src/index.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { buildDirectory } from '../../../src/system/native.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { hutchCommand, hutchLine } from '../../support/command.ts'
import { hostMounts, makeImage, tree, workplace } from '../../support/image.ts'
import { requires } from '../../support/requires.ts'

const { path: work, remove } = workplace()
const image = makeImage(`${work}/image`)
const volume = `${work}/volume`
let before: string

beforeAll(() => {
  mkdirSync(`${volume}/sub`, { recursive: true })
  writeFileSync(`${volume}/file`, 'from outside\n')
  before = hostMounts()
})
beforeEach((context) => requires(context, 'root', 'busybox'))
afterAll(() => {
  remove()
  expect(hostMounts()).toBe(before)
})

/** A shell in the image; what it says, and its status. */
async function inside(script: string, options: RunOptions = {}) {
  const { stdout, stderr, exitCode } = await run('sh', ['-c', script], { rootfs: image, ...options })
  return { out: stdout, err: stderr, exitCode }
}

test('the image is all there is, with /proc, /sys and /dev of its own', async () => {
  expect(await inside('ls /; pwd')).toEqual({
    out: 'bin\ndata\ndev\netc\nproc\nsys\ntmp\n/\n',
    err: '',
    exitCode: 0,
  })
})

/** CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, SETFCAP, as mask. */
const defaultMask = '00000000800405fb'
const none = '0'.repeat(16)

test.for<[string, RunOptions, string[]]>([
  ['root keeps eleven capabilities', {}, [none, defaultMask, defaultMask, defaultMask, none]],
  [
    'in a user namespace as well',
    { mapUsers: 'root', isolate: ['pid', 'mount', 'user'] },
    [none, defaultMask, defaultMask, defaultMask, none],
  ],
  ['another user has none, and can get no more', { user: '5' }, [none, none, none, defaultMask, none]],
  ['what is named comes on top', { capAdd: 'MKNOD' }, [none, ...Array(3).fill('00000000880405fb'), none]],
  ['or is taken away', { capDrop: 'ALL' }, Array(5).fill(none)],
])('%s', async ([, options, expected]) => {
  const { out } = await inside('grep ^Cap /proc/self/status', options)
  expect([...out!.matchAll(/:\t(\w+)/g)].map((match) => match[1])).toEqual(expected)
})

test('a device of the host cannot be made, and nothing be mounted', async () => {
  const { out } = await inside(
    'mknod /dev/disk b 254 0; mount -t tmpfs none /tmp; mount -o remount,dev /; ls /dev/disk; true',
  )
  expect(out).toBe('')
})

test('the smallest image is one static program', async () => {
  const smallest = `${work}/smallest`
  mkdirSync(smallest)
  copyFileSync(`${buildDirectory}/bin/hutch`, `${smallest}/hutch`)
  const { exitCode } = await run('/hutch', ['hog', '1M'], { rootfs: smallest })
  expect(exitCode).toBe(0)
  expect(readdirSync(smallest).sort()).toEqual(['dev', 'hutch', 'proc', 'sys'])
})

test('no mount of the host is seen', async () => {
  const { out } = await inside('cat /proc/self/mountinfo')
  const mounts = out!
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  expect(mounts[0]!.slice(3, 5)).toEqual([expect.stringMatching(/\/image$/), '/'])
  for (const [, , , root, target] of mounts.slice(1)) {
    expect(target).toMatch(/^\/(proc|sys|dev)(\/|$)/)
    // besides these alone there are device files
    if (root !== '/')
      expect([root, target]).toEqual([expect.stringMatching(/^\/\w+|^\/(bus|fs|irq|sys|sysrq-trigger)$/), target])
  }
  // and by no way up: above the root is the root
  expect((await inside('cd /../../..; ls')).out).toBe('bin\ndata\ndev\netc\nproc\nsys\ntmp\n')
})

test('no descriptor of the set-up is left in PID 1 or in the command', async () => {
  const { out } = await inside('ls /proc/1/fd; echo; ls /proc/self/fd', { mounts: [{ tmpfs: '/tmp' }] })
  const [first, command] = out!.split('\n\n')
  expect(command).toBe('0\n1\n2\n3\n')
  // its streams, the socket to hutch, and what tells whether /dev and /dev/shm are full
  const known = ['0', '1', '2']
  const numbers = first!.split('\n')
  expect(numbers).toEqual(expect.arrayContaining(known))
  expect(numbers.filter((number) => !known.includes(number))).toHaveLength(3)
})

test('a read-only root is read-only for root too, and its volumes are as they were asked for', async () => {
  const { out, err } = await inside(
    'touch /etc/x; touch /bin/busybox; mount -o remount,rw /; echo new > /data/new; cat /data/file',
    {
      readOnly: true,
      mounts: [{ volume: `${volume}:/data` }],
      user: '0',
    },
  )
  expect(out).toBe('from outside\n')
  expect(err).toContain('/etc/x: Read-only file system')
  expect(err).toContain('/bin/busybox: Read-only file system')
  expect(readFileSync(`${volume}/new`, 'utf8')).toBe('new\n')
  expect(readdirSync(`${image}/etc`)).toEqual([])
})

test('a volume is read-only with ro, and its files neither set ids nor are devices', async () => {
  const { err, out } = await inside('touch /data/x; grep " /data " /proc/self/mountinfo', {
    mounts: [{ volume: `${volume}:/data:ro,noexec` }],
  })
  expect(err).toContain('Read-only file system')
  expect(out).toContain(' ro,nosuid,nodev,noexec,relatime ')
})

test('a volume can be a file, and its mount point is made in the image', async () => {
  expect((await inside('cat /made/here/file', { mounts: [{ volume: `${volume}/file:/made/here/file` }] })).out).toBe(
    'from outside\n',
  )
  expect(tree(`${image}/made`)).toEqual(['here', 'here/file'])
})

test('a later mount is on top of an earlier one', async () => {
  const mounts = [{ tmpfs: '/data' }, { volume: `${volume}:/data/a` }, { tmpfs: '/data/a/sub' }]
  expect((await inside('touch /data/a/sub/x; ls /data /data/a', { mounts })).out).toContain('/data:\na\n')
  expect(readdirSync(`${volume}/sub`)).toEqual([])
  expect((await inside('ls /data', { mounts: [...mounts, { tmpfs: '/data' }] })).out).toBe('')
})

test('a tmpfs has its size and mode', async () => {
  const { out, err } = await inside('dd if=/dev/zero of=/tmp/x bs=1M count=2; ls -ld /tmp', {
    mounts: [{ tmpfs: '/tmp:size=1M,mode=0700' }],
  })
  expect(err).toContain('No space left on device')
  expect(out).toMatch(/^drwx------/)
})

test('changes in an overlay are thrown away, or kept where it says', async () => {
  const thrown = { mounts: [{ overlay: `${volume}:/data` }] }
  expect((await inside('echo changed > /data/file; cat /data/file', thrown)).out).toBe('changed\n')
  expect(readFileSync(`${volume}/file`, 'utf8')).toBe('from outside\n')
  // overlayfs takes no upper layer on an overlay, such as a VM's root: on a tmpfs it does
  mkdirSync(`${work}/fresh`)
  const line = `cd ${work}/fresh && mkdir up work && ${hutchLine} run --rootfs ${image} --overlay ${volume}:/data:upper=up,work=work`
  const kept = await run('sh', ['-c', `${line} -- sh -c 'echo kept > /data/file' && cat up/file`], {
    isolate: ['mount'],
    mounts: [{ tmpfs: `${work}/fresh` }],
  })
  expect({ out: kept.stdout, err: kept.stderr }).toEqual({ out: 'kept\n', err: '' })
  expect(readFileSync(`${volume}/file`, 'utf8')).toBe('from outside\n')
})

test('an overlay may have many layers, the first on top, and none of its own', async () => {
  const layers = Array.from({ length: 10 }, (_, i) => `${work}/layer:${i}`)
  for (const [i, layer] of layers.entries()) {
    mkdirSync(layer)
    writeFileSync(`${layer}/file-${i}`, '')
    writeFileSync(`${layer}/top`, String(i))
  }
  const lower = layers.map((layer) => layer.replace(/:(\d)$/, '\\:$1')).join(':')
  const { out, err } = await inside('ls /data; cat /data/top; touch /data/x', {
    mounts: [{ overlay: `${lower}:/data:ro` }],
  })
  expect(out).toBe(`${layers.map((_, i) => `file-${i}`).join('\n')}\ntop\n0`)
  expect(err).toContain('Read-only file system')
})

test('the image itself as an overlay is not changed', async () => {
  const before = tree(image)
  expect((await inside('touch /x && ls /x', { mounts: [{ overlay: `${image}:/` }] })).out).toBe('/x\n')
  expect(tree(image)).toEqual(before)
})

test('/dev works', async () => {
  const script = `
    echo x > /dev/null && dd if=/dev/zero bs=4 count=1 2>/dev/null | grep -c . ; dd if=/dev/urandom of=/dev/shm/r bs=16 count=1 2>/dev/null
    ls -l /dev/shm/r | grep -c ' 16 '; echo full > /dev/full; cat < /dev/fd/0; echo out > /dev/stdout; ls /dev; readlink /dev/ptmx; (echo > /dev/tty) 2>&1`
  const { out, err } = await inside(script)
  expect(err).toMatch(/No space left on device/)
  expect(out!.split('\n').filter(Boolean)).toEqual([
    '1',
    '1',
    'out',
    ...[
      'fd',
      'full',
      'mqueue',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ],
    'pts/ptmx',
    expect.stringContaining('/dev/tty: No such device or address'),
  ])
})

test('what the host has in /dev, a volume can bring along', async () => {
  expect((await inside('cat /dev/mine', { mounts: [{ volume: `${volume}/file:/dev/mine` }] })).out).toBe(
    'from outside\n',
  )
})

test('what the machine shares in /proc and /sys is hidden or read-only', async () => {
  const script = `
    for file in kcore keys timer_list sched_debug interrupts; do [ -e /proc/$file ] && cat /proc/$file; done
    ls /sys/firmware /proc/acpi /proc/scsi 2>/dev/null | grep -v :
    for file in sys/kernel/hostname sysrq-trigger; do [ -e /proc/$file ] && (echo h > /proc/$file) 2>&1; done; (mkdir /sys/fs/cgroup/x) 2>&1`
  const { out } = await inside(script)
  const lines = out!.split('\n').filter(Boolean)
  expect(lines.length).toBeGreaterThan(1)
  // the first two have files of their own on some kernels only
  for (const line of lines) expect(line).toMatch(/Read-only file system|No such file/)
  expect(lines[0]).toMatch(/hostname: Read-only file system/)
})

test('/proc is that of its own processes', async () => {
  expect((await inside('ls /proc | grep "^[0-9]*$"; readlink /proc/self')).out).toMatch(/^1\n2\n(\d+\n)*\d+\n$/)
})

test('links in the image stay inside: absolute, upwards and to the host', async () => {
  mkdirSync(`${work}/trap`)
  symlinkSync(work, `${image}/absolute`)
  symlinkSync('../../../../../../etc', `${image}/up`)
  mkdirSync(`${image}${work}`, { recursive: true })
  const mounts = [
    { volume: `${volume}:/absolute/trap` },
    { volume: `${volume}:/up/made` },
    { tmpfs: '/../../../etc/above' },
  ]
  const { out } = await inside(`ls ${work}/trap/file /etc/made/file; ls -d /etc/above`, { mounts })
  expect(out).toBe(`/etc/made/file\n${work}/trap/file\n/etc/above\n`)
  expect([tree(`${work}/trap`), readdirSync(`${image}/etc`).sort()]).toEqual([[], ['above', 'made']])
})

test.each([['/proc'], ['/sys'], ['/dev']])('%s is refused where the image has a link', async (name) => {
  const lying = makeImage(`${work}/lying${name}`)
  const { rmdirSync } = await import('node:fs')
  rmdirSync(`${lying}${name}`)
  symlinkSync('/data', `${lying}${name}`)
  await expect(run('true', [], { rootfs: lying })).rejects.toMatchObject({
    code: 'MOUNT_REFUSED',
    errno: 'ELOOP',
    path: name,
  })
})

test('without rootfs: the host’s own, read-only but for what is named', async () => {
  const { stdout, stderr } = await run(
    'sh',
    ['-c', `touch /etc/hutch-test; echo kept > ${volume}/kept; touch /tmp/x && ls /tmp; cat /proc/1/comm`],
    { readOnly: true, mounts: [{ volume: `${volume}:${volume}` }, { tmpfs: '/tmp' }].reverse() },
  )
  expect(stderr).toContain('Read-only file system')
  expect(stdout).toContain('x\nhutch-init\n')
  expect(readFileSync(`${volume}/kept`, 'utf8')).toBe('kept\n')
})

test('without rootfs the caller’s directory is kept, where it is', async () => {
  const before = process.cwd()
  expect((await run('pwd', [], { dev: true })).stdout).toBe(`${before}\n`)
  expect((await run('pwd', [], { dev: true, workdir: '/usr' })).stdout).toBe('/usr\n')
  expect((await inside('pwd', { workdir: '/data' })).out).toBe('/data\n')
})

test('the command is looked for inside', async () => {
  const { reason } = await run('node', [], { rootfs: image })
  expect(reason).toBe('not-found')
})

test('what the host has mounted over its own "/" goes too', async () => {
  const line = `mount -t tmpfs hidden / && ${hutchLine} run --rootfs ${image} --overlay ${image}:/ -- cat /proc/self/mounts`
  const { stdout, stderr } = await run('sh', ['-c', line], { isolate: ['mount'] })
  expect(stderr).toBe('')
  const roots = stdout!.split('\n').filter((mount) => mount.split(' ')[1] === '/')
  expect(roots).toEqual([expect.stringMatching(/^overlay \/ overlay /)])
  expect(stdout).not.toContain('hidden')
})

test('in a user namespace it takes no root', async () => {
  chmodSync(work, 0o755)
  const made = makeImage(`${work}/made-before`)
  const inner = [
    'run',
    '--isolate',
    'all',
    '--rootfs',
    made,
    '--read-only',
    '--tmpfs',
    '/tmp',
    '--overlay',
    `${made}:/data`,
  ]
  const script = 'touch /tmp/x /data/x && ls /tmp /data/x; touch /x; cat < /dev/null; id -u'
  const { status, stdout, stderr } = await collect(
    'unshare',
    ['-Ur', ...hutchCommand, ...inner, '--', 'sh', '-c', script],
    { uid: 65534, gid: 65534 },
  )
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: '/data/x\n\n/tmp:\nx\n0\n',
    stderr: 'touch: /x: Read-only file system\n',
  })
})

test('without root it comes with a user namespace of its own', async () => {
  chmodSync(work, 0o755)
  const made = makeImage(`${work}/made-rootless`)
  const options = ['--rootfs', made, '--read-only', '--tmpfs', '/tmp', '--overlay', `${made}:/data`]
  const script = 'touch /tmp/x /data/x && ls /tmp /data/x; touch /x; cat < /dev/null; id -u; ls /sys/firmware'
  const { status, stdout, stderr } = await hutch(['run', ...options, '--', 'sh', '-c', script], { uid: 65534 })
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: '/data/x\n\n/tmp:\nx\n65534\n',
    stderr: 'touch: /x: Read-only file system\n',
  })
})
