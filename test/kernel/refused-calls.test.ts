// SPDX-License-Identifier: Apache-2.0
// Starts under seccomp filters that refuse one call each, as container engines do: hutch starts by an older call, or names the one that was refused.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { cli, type Ended, hutch } from '../cli/hutch.ts'
import { requires } from '../requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-calls-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const errnos = { ENOSYS: 38, EPERM: 1 }
type Errno = keyof typeof errnos

const plain = ['--limit', 'none', '--isolate', 'none']
const limits = ['--memory', '50M']
const sandbox = ['--sandbox']

/** What starts all the same. clone3 with EPERM is left out: glibc starts no thread then, so Node does not start. */
const replaced: [call: string, errno: Errno, options: string[]][] = [
  ['clone3', 'ENOSYS', plain],
  ['clone3', 'ENOSYS', limits],
  ['clone3', 'ENOSYS', sandbox],
  ['close_range', 'EPERM', plain],
  ['execveat', 'ENOSYS', limits],
  ['memfd_create', 'EPERM', limits],
  ['pidfd_send_signal', 'ENOSYS', limits],
  ['waitid', 'EPERM', limits],
  ['inotify_add_watch', 'ENOSYS', limits],
]

/** What nothing replaces. */
const named: [call: string, errno: Errno, options: string[]][] = [
  ['fsopen', 'EPERM', sandbox],
  ['capset', 'ENOSYS', sandbox],
  ['mount', 'EPERM', ['--isolate', 'mount,pid']],
]

/** A command under a filter that refuses one call. */
function under(call: string, errno: Errno, command: string[]): Promise<Ended> {
  const profile = `${work}/${call}-${errno}.json`
  writeFileSync(
    profile,
    JSON.stringify({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: [call], action: 'SCMP_ACT_ERRNO', errnoRet: errnos[errno] }],
    }),
  )
  return hutch(['run', ...plain, '--seccomp', profile, '--', ...command])
}

test.each(replaced)('without %s (%s) a job starts: %j', async (call, errno, options) => {
  const ended = await under(call, errno, [process.execPath, cli, 'run', ...options, '--', 'echo', 'ok'])
  expect(ended).toMatchObject({ status: 0, stdout: 'ok\n', stderr: '' })
})

test.each(named)('without %s (%s) the error names it: %j', async (call, errno, options) => {
  const ended = await under(call, errno, [process.execPath, cli, 'run', ...options, '--', 'echo', 'ok'])
  expect(ended).toMatchObject({ status: 125, stdout: '' })
  expect(ended.stderr).toContain(`(${errno})`)
  expect(ended.stderr).toContain(`refused system call: ${call}\n`)
  expect(ended.stderr).toContain(`allow ${call} in the seccomp profile`)
})

test('control: under the filter clone3 itself is refused', async (context) => {
  requires(context, 'python3')
  const call = 'import ctypes; l = ctypes.CDLL(None, use_errno=True); l.syscall(435, 0, 0); print(ctypes.get_errno())'
  expect(await under('clone3', 'ENOSYS', ['python3', '-c', call])).toMatchObject({ stdout: '38\n' })
  expect(await hutch(['run', ...plain, '--', 'python3', '-c', call])).toMatchObject({ stdout: '22\n' })
})

test('a compiled file starts without clone3, and names what nothing replaces', async () => {
  const file = `${work}/echo`
  expect(await hutch(['compile', '-o', file, ...limits, '--', 'echo', 'ok'])).toMatchObject({ status: 0 })
  expect(await under('clone3', 'ENOSYS', [file])).toMatchObject({ status: 0, stdout: 'ok\n' })
  const refused = await under('mount', 'EPERM', [file])
  expect(refused.status).toBe(125)
  expect(refused.stderr).toContain('refused system call: mount\n')
})
