// SPDX-License-Identifier: Apache-2.0
// What a sandbox could leave on the host besides data: files that give their owner's rights, and work for a handler of core dumps.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { collect } from '../../cli/hutch.ts'
import { requires } from '../../support/requires.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  chmodSync(folder, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const slow: RunOptions = process.env.VM ? { timeout: '10m' } : {}

/** Each way to give a file or directory S_ISUID or S_ISGID, by its name; numbers of calls are those of x86_64 and aarch64. */
const script = `
import ctypes, os, platform, sys
at = sys.argv[1]
libc = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if libc.syscall(*args) < 0: raise OSError(ctypes.get_errno(), "")
def plain(name):
    open(at + "/" + name, "w").close()
    os.chmod(at + "/" + name, 0o755)
    return at + "/" + name
def fchmod():
    with open(plain("fchmod")) as f: os.fchmod(f.fileno(), 0o4755)
def temporary():
    fd = os.open(at, os.O_TMPFILE | os.O_WRONLY, 0o4755)
    call(37 if arm else 265, -100, f"/proc/self/fd/{fd}".encode(), -100, (at + "/temporary").encode(), 0x400)
arm = platform.machine() == "aarch64"
ways = {
    "chmod": lambda: os.chmod(plain("chmod"), 0o4755),
    "chmod-group": lambda: os.chmod(plain("chmod-group"), 0o2755),
    "fchmod": fchmod,
    "fchmodat2": lambda: call(452, -100, plain("fchmodat2").encode(), 0o4755, 0),
    "openat": lambda: os.open(at + "/openat", os.O_CREAT | os.O_WRONLY, 0o4755),
    "temporary": temporary,
    "mknod": lambda: os.mknod(at + "/mknod", 0o104755),
    "openat2": lambda: call(437, -100, (at + "/openat2").encode(), (ctypes.c_uint64 * 3)(0o101, 0o4755, 0), 24),
}
if not arm:
    ways["creat"] = lambda: call(85, (at + "/creat").encode(), 0o4755)
os.umask(0)
for name, way in ways.items():
    try: way()
    except OSError: pass
`

const special = (directory: string) =>
  readdirSync(directory).filter((name) => (statSync(`${directory}/${name}`).mode & 0o6000) !== 0)

test('no file with S_ISUID or S_ISGID is left in a volume; without hutch each way leaves one', async (context) => {
  requires(context, 'root')
  const paths = Object.fromEntries(['outside', 'mapped', 'plain'].map((name) => [name, `${folder}/${name}`]))
  for (const path of Object.values(paths)) {
    mkdirSync(path)
    chmodSync(path, 0o777)
  }
  await collect('python3', ['-c', script, paths.outside!])
  expect(special(paths.outside!).length).toBeGreaterThanOrEqual(7)
  for (const [name, kind] of [
    ['mapped', ':idmap'],
    ['plain', ''],
  ] as const) {
    const mounts = [{ volume: `${paths[name]}:/w${kind}` }]
    const result = await run('python3', ['-c', script, '/w'], { sandbox: true, mounts, ...slow }).catch(
      (error) => error,
    )
    // a file system without mapped mounts says so
    if (result.code === 'MOUNT_REFUSED') continue
    expect(result).toMatchObject({ status: 0, stderr: '' })
    expect(readdirSync(paths[name]!)).toContain('chmod')
    expect(special(paths[name]!)).toEqual([])
  }
})

test("a sandbox's limit of core dumps is 1, whatever limits its caller has", async () => {
  const limit = (options: RunOptions) =>
    run('/bin/sh', ['-c', 'ulimit -Sc; ulimit -Hc; grep core /proc/self/limits'], {
      sandbox: true,
      limits: 'none',
      ...slow,
      ...options,
    })
  expect((await limit({})).stdout).toMatch(/Max core file size +1 +1 +bytes/)
  expect((await limit({ ulimits: { core: 0 } })).stdout).toMatch(/Max core file size +0 +0 +bytes/)
})

test('a crash in a sandbox runs no handler that kernel.core_pattern names; with a limit of 0 it does', async (context) => {
  // the setting is the whole machine's
  requires(context, 'root', 'a VM')
  const pattern = '/proc/sys/kernel/core_pattern'
  const before = readFileSync(pattern, 'utf8')
  const log = `${folder}/handled`
  writeFileSync(`${folder}/handler`, `#!/bin/sh\necho "$1" >> ${log}\ncat > /dev/null\n`, { mode: 0o755 })
  chownSync(`${folder}/handler`, 0, 0)
  const crash = (tag: string, options: RunOptions) =>
    run('/bin/sh', ['-c', 'kill -SEGV $$'], { sandbox: true, ...slow, env: { TAG: tag }, ...options })
  try {
    writeFileSync(pattern, `|${folder}/handler %c`)
    expect((await crash('preset', {})).signal).toBe('SIGSEGV')
    // the kernel waits for the handler to take the dump before the process has ended
    expect((await crash('zero', { ulimits: { core: 0 } })).signal).toBe('SIGSEGV')
    expect(readFileSync(log, 'utf8')).toBe('0\n')
  } finally {
    writeFileSync(pattern, before)
  }
})
