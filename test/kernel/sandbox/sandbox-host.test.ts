// SPDX-License-Identifier: Apache-2.0
// Smaller ways from a job to its host: names, notices, what is counted by user, children that are left to the caller, set-user-ID copies.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { collect, hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { requires } from '../../support/requires.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  chmodSync(folder, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const slow: RunOptions = process.env.VM ? { timeout: '10m' } : {}
const names = 'cat /etc/hostname /etc/machine-id /etc/mailname /etc/hosts 2>/dev/null; hostname'
const inside = async (options: RunOptions) =>
  (await run('sh', ['-c', names], { sandbox: true, ...slow, ...options })).stdout!

test("the host's names in /etc are hidden, unless the sandbox has its name or the caller names the file", async () => {
  const hosts = (name: string) =>
    `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t${name}\n${name}\n`
  expect(await inside({})).toBe(hosts('sandbox'))
  expect(await inside({ hostname: 'box' })).toBe(hosts('box'))
  // control: what stands there
  const told = [execFileSync('sh', ['-c', names], { encoding: 'utf8' }), hostname()]
  expect(told[0]).not.toBe(hosts('sandbox'))
  expect(await inside({ isolate: ['pid', 'mount', 'net', 'ipc', 'cgroup', 'user'] })).toBe(told[0])
  writeFileSync(`${folder}/name`, 'given\n')
  expect(await inside({ mounts: [{ volume: `${folder}/name:/etc/hosts:ro` }] })).toBe('given\nsandbox\n')
})

/** Instances until there is no more, and the errno of a watch for reads and of one for changes. */
const notices = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
fds = []
while len(fds) < 100:
    fd = libc.inotify_init()
    if fd < 0: break
    fds.append(fd)
reads, changes = libc.inotify_add_watch(fds[0], b"/usr/bin", 0x20), libc.inotify_add_watch(fds[0], b"/tmp", 0x102)
print(len(fds), reads > 0, changes > 0)
`

test('a job with a user namespace has 16 instances of inotify, and strict no notices of reads', async () => {
  expect((await run('python3', ['-c', notices], { sandbox: true, ...slow })).stdout).toBe('16 False True\n')
  const user: RunOptions = { isolate: ['user', 'mount'], limits: 'none' }
  expect((await run('python3', ['-c', notices], user)).stdout).toBe('16 True True\n')
  // control: the caller has what the machine gives its user
  const [count, ...watches] = (await collect('python3', ['-c', notices])).stdout.trim().split(' ')
  expect(Number(count)).toBeGreaterThan(16)
  expect(watches).toEqual(['True', 'True'])
  const read = 'cat /proc/sys/user/max_inotify_watches'
  expect((await run('sh', ['-c', read], { sandbox: true, ...slow })).stdout).toBe('8192\n')
})

test('the same for a user without rights', async (context) => {
  requires(context, 'root')
  const { stdout } = await runAs(1000, ['--sandbox', '--limit', 'none', '--', 'python3', '-c', notices])
  expect(stdout).toBe('16 False True\n')
})

/** A child of the caller: CLONE_PARENT and SIGCHLD; it ends at once, and so does its maker. */
const sibling = `
import ctypes, os, platform, time
number = 220 if platform.machine() == "aarch64" else 56
if ctypes.CDLL(None).syscall(number, 0x8000 | 17, 0, 0, 0, 0) == 0: os._exit(0)
time.sleep(0.1)
`

/** Children of this process that have ended and that nobody has waited for. */
function zombies(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d/.test(name))
    .filter((pid) => {
      try {
        const [state, parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
          .replace(/^.*\) /s, '')
          .split(' ')
        return state === 'Z' && Number(parent) === process.pid
      } catch {
        return false
      }
    })
}

test('children that a job leaves to its caller by CLONE_PARENT are reaped', async (context) => {
  requires(context, 'root', 'a v2 tree')
  const before = zombies()
  for (let i = 0; i < 3; i++)
    expect(await run('python3', ['-c', sibling], { isolate: 'none' })).toMatchObject({ status: 0 })
  expect(zombies().filter((pid) => !before.includes(pid))).toEqual([])
  // control, in a process of its own: without hutch they stay
  const alone = `const { spawn } = require('child_process'), { readdirSync, readFileSync } = require('fs')
spawn('python3', ['-c', ${JSON.stringify(sibling)}]).on('exit', () => console.log(readdirSync('/proc').filter((pid) => {
  try { const [state, parent] = readFileSync('/proc/' + pid + '/stat', 'utf8').replace(/^.*\\) /s, '').split(' ')
    return state === 'Z' && Number(parent) === process.pid } catch { return false } }).length))`
  expect((await collect(process.execPath, ['-e', alone])).stdout).toBe('1\n')
})

test('a compiled file that is set-user-ID refuses to run', async (context) => {
  requires(context, 'root')
  if (!existsSync('/usr/bin/setpriv')) return context.skip('needs setpriv(1)')
  const file = `${folder}/compiled`
  const words = ['compile', '--limit', 'none', '--isolate', 'none', '--output', file, '--', 'true']
  expect(await hutch(words)).toMatchObject({ status: 0 })
  expect(await collect(file, [])).toMatchObject({ status: 0 })
  const other = ['--reuid', '61234', '--regid', '61234', '--clear-groups', file]
  for (const mode of [0o4755, 0o2755, 0o6755]) {
    chmodSync(file, mode)
    const refused = await collect('setpriv', other)
    expect(refused.status).toBe(125)
    expect(refused.stderr).toMatch(/it is set-user-ID, set-group-ID or has file capabilities.*remedy +chmod ug-s/s)
  }
})

/** Whether the memory of a process can be opened for writing, and a descriptor of it taken. */
const reach = `
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def reaches(pid, number):
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR))
        return True
    except OSError:
        return libc.syscall(438, os.pidfd_open(pid), number, 0) >= 0
child = subprocess.Popen(["sleep", "9"])
print(reaches(1, 40), reaches(child.pid, 0))
child.kill()
`

test('with CAP_SYS_PTRACE a sandbox of root reaches its own processes, but not the PID 1 that reports to hutch', async (context) => {
  requires(context, 'root')
  const options: RunOptions = { sandbox: true, capAdd: 'SYS_PTRACE', ...slow }
  for (const seccomp of ['default', 'none'] as const)
    expect(await run('python3', ['-c', reach], { ...options, seccomp })).toMatchObject({
      stdout: 'False True\n',
      stderr: '',
    })
})
