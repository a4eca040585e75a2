// SPDX-License-Identifier: Apache-2.0
// Namespaces of a job: which are new, and what the job sees in them.
// In a VM only in `npm run test:kernels`.
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { readHost } from '../../../src/host/host.ts'
import { type NamespaceKind, run } from '../../../src/index.ts'
import { namespaceKinds, namespaces } from '../../../src/namespaces/namespace.ts'
import { requires } from '../../support/requires.ts'

const files = namespaceKinds.map((kind) => namespaces[kind].file)
const lookInside = ['-c', files.map((file) => `readlink /proc/self/ns/${file}`).join(';')]

async function newNamespaces(isolate: readonly NamespaceKind[] | 'all' | 'none' | undefined) {
  const { stdout } = await run('sh', lookInside, isolate === undefined ? {} : { isolate })
  const inside = stdout!.trim().split('\n')
  return namespaceKinds.filter((_, i) => inside[i] !== readlinkSync(`/proc/self/ns/${files[i]}`))
}

test.each([
  [undefined, ['mount', 'uts', 'ipc', 'pid']],
  ['all', ['mount', 'cgroup', 'uts', 'ipc', 'pid', 'net']],
  ['none', []],
  [
    ['pid', 'mount'],
    ['mount', 'pid'],
  ],
  [['net'], ['net']],
  [['uts'], ['uts']],
  [['ipc'], ['ipc']],
  [['cgroup'], ['cgroup']],
] as const)('isolate %j makes just these namespaces', async (isolate, made) => {
  expect(await newNamespaces(isolate)).toEqual(made)
})

test('from inside a cgroup namespace the group is the root', async (context) => {
  const { stdout } = await run('cat', ['/proc/1/cgroup'], { isolate: ['pid', 'mount', 'cgroup'] })
  if (readHost().unified) expect(stdout).toMatch(/^0::\/$/m)
  for (const line of stdout!.trim().split('\n')) expect(line).toMatch(/:\/$/)
  requires(context, 'a v2 tree')
})

test.each([
  ['with a cgroup namespace', ['pid', 'mount', 'cgroup'] as const, false],
  ['by default', undefined, true],
])('a program on the host’s root finds its own limit: %s', async (_, isolate, found) => {
  const script = 'console.log(process.constrainedMemory() === 80 * 2 ** 20)'
  const { stdout } = await run(process.execPath, ['-e', script], {
    limits: { memory: '80M' },
    ...(isolate && { isolate: [...isolate] }),
  })
  expect(stdout).toBe(`${found}\n`)
})

test('ps sees the group alone: PID 1 of hutch, the shell, itself', async () => {
  const { stdout } = await run('sh', ['-c', 'ps -e -o pid=,comm=; true'])
  expect(
    stdout!
      .trim()
      .split('\n')
      .map((line) => line.trim()),
  ).toEqual(['1 hutch-init', '2 sh', '3 ps'])
})

test('without init the command is PID 1', async () => {
  const { stdout } = await run('sh', ['-c', 'echo $$'], { init: false })
  expect(stdout).toBe('1\n')
})

test('PID 1 reaps orphans: no zombie stays', async () => {
  const { stdout } = await run('sh', [
    '-c',
    '(sleep 0.05 & ) ; (sleep 0.05 &); sleep 0.3; ps -e -o stat= | grep -c Z; true',
  ])
  expect(stdout).toBe('0\n')
})

test('a mount inside is not seen outside', async () => {
  const before = readFileSync('/proc/self/mounts', 'utf8')
  const { exitCode, stdout } = await run('sh', [
    '-c',
    'mount -t tmpfs hutch-test /mnt && grep -c hutch-test /proc/self/mounts',
  ])
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '1\n' })
  expect(readFileSync('/proc/self/mounts', 'utf8')).toBe(before)
})

test('a host name inside leaves the host its own', async () => {
  const before = hostname()
  const { stdout } = await run('uname', ['-n'], { hostname: 'burrow' })
  expect(stdout).toBe('burrow\n')
  expect(hostname()).toBe(before)
})

test('a network namespace has its loopback up and nothing else', async () => {
  const { stdout } = await run(
    'sh',
    [
      '-c',
      'cat /sys/class/net/lo/operstate >/dev/null; tail -n +3 /proc/net/dev | cut -d: -f1; grep -c : /proc/net/if_inet6; true',
    ],
    { isolate: 'all' },
  )
  expect(stdout!.trim().split(/\s+/)[0]).toBe('lo')
  const { exitCode } = await run('bash', ['-c', 'exec 3<>/dev/udp/127.0.0.1/9 && echo x >&3'], { isolate: 'all' })
  expect(exitCode).toBe(0)
})

test('the command runs as the user, with the groups and without the capabilities', async (context) => {
  requires(context, 'root')
  const { stdout } = await run('sh', ['-c', 'id -u; id -g; id -G; echo $HOME; grep CapEff /proc/self/status'], {
    user: 'nobody',
  })
  expect(stdout).toBe('65534\n65534\n65534\n/nonexistent\nCapEff:\t0000000000000000\n')
})

test('the working directory is entered as the user', async (context) => {
  requires(context, 'root')
  expect((await run('pwd', [], { workdir: '/usr' })).stdout).toBe('/usr\n')
  await expect(run('pwd', [], { workdir: '/nonexistent' })).rejects.toMatchObject({
    code: 'STEP_REFUSED',
    errno: 'ENOENT',
    operation: 'changeDirectory',
  })
})

test('the environment is the caller’s with the changes', async () => {
  const { stdout } = await run('sh', ['-c', 'echo "$A|${HOME-gone}|$LANG"'], {
    env: { A: 'one two', HOME: undefined, LANG: 'C' },
  })
  expect(stdout).toBe('one two|gone|C\n')
})

test('no descriptor of this process reaches the command', async () => {
  const { stdout } = await run('sh', ['-c', 'ls -l /proc/self/fd | tail -n +2 | wc -l; ls /proc/self/fd'])
  // 0, 1, 2 and the directory that ls reads
  expect(stdout!.trim().split(/\s+/).slice(1)).toEqual(['0', '1', '2', '3'])
})

test('hutch-init cannot be opened for writing through /proc', async () => {
  const { stdout } = await run('sh', ['-c', '(echo x > /proc/1/exe) 2>&1; true'])
  expect(stdout).toMatch(/Permission denied|Text file busy|No such file|Operation not permitted/)
})
