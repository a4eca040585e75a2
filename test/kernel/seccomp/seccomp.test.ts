// SPDX-License-Identifier: Apache-2.0
// Filters of system calls on the real kernel: what is refused, what ends a program, and what still works.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunOptions, run } from '../../../src/index.ts'
import { hutch } from '../../cli/hutch.ts'
import { runAs } from '../../support/anyone.ts'
import { compileProgram } from '../../support/compile.ts'
import { requires } from '../../support/requires.ts'

let folder = ''
beforeAll(() => {
  folder = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  compileProgram('seccomp-call', `${folder}/call`)
  execFileSync('chmod', ['-R', 'a+rX', folder])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const [EPERM, ENOSYS] = [1, 38]
const number =
  process.arch === 'x64'
    ? {
        unshare: 272,
        clone: 56,
        ptrace: 101,
        keyctl: 250,
        bpf: 321,
        ioctl: 16,
        socket: 41,
        clone3: 435,
        uring: 425,
        getpid: 39,
        mount: 165,
      }
    : {
        unshare: 97,
        clone: 220,
        ptrace: 117,
        keyctl: 219,
        bpf: 280,
        ioctl: 29,
        socket: 198,
        clone3: 435,
        uring: 425,
        getpid: 172,
        mount: 40,
      }

/** errno of one call. */
async function call(options: RunOptions, ...words: (number | string)[]): Promise<number> {
  const result = await run(`${folder}/call`, words.map(String), options)
  expect([result.verdict.headline, result.exitCode]).toEqual([result.verdict.headline, 0])
  return Number(result.stdout)
}

test('strict refuses with EPERM what without it works or fails in another way', async () => {
  const strict = { seccomp: 'strict' as const }
  const tried: [string, number, ...(number | string)[]][] = [
    ['unshare', number.unshare, 0],
    ['ptrace', number.ptrace, 0x4200, 1],
    ['keyctl', number.keyctl, 0, -3, 0],
    ['bpf', number.bpf, 99],
    ['io_uring_setup', number.uring, 1, 0],
    ['AF_VSOCK', number.socket, 40, 1, 0],
    ['AF_NETLINK of audit', number.socket, 16, 3, 9],
    ['TIOCSTI', number.ioctl, 0, 0x5412, 0],
    ['TIOCSTI with a high half', number.ioctl, 0, '0x100005412', 0],
  ]
  for (const [name, ...words] of tried) expect([name, await call(strict, ...words)]).toEqual([name, EPERM])
  expect(await call(strict, number.clone3, 0, 0)).toBe(ENOSYS)
  expect(await call(strict, 4000)).toBe(ENOSYS)
  expect(await call(strict, number.getpid)).toBe(0)
  expect(await call(strict, number.socket, 1, 1, 0)).toBe(0)
  // the same without a filter
  expect(await call({}, number.unshare, 0)).toBe(0)
  expect(await call({}, number.ptrace, 0x4200, 1)).not.toBe(EPERM)
})

test('default follows the capabilities that the command keeps', async (context) => {
  requires(context, 'root')
  const makeMounts = 0x0002_0000
  expect(await call({ seccomp: 'default' }, number.unshare, makeMounts)).toBe(0)
  expect(await call({ seccomp: 'default', capDrop: 'SYS_ADMIN' }, number.unshare, 0)).toBe(EPERM)
  expect(await call({ capDrop: 'SYS_ADMIN' }, number.unshare, 0)).toBe(0)
  expect(await call({ seccomp: 'default', user: 'nobody' }, number.clone3, 0, 0)).toBe(ENOSYS)
  expect(await call({ seccomp: 'default' }, number.socket, 40, 1, 0)).toBe(EPERM)
})

test('a profile with conditions, from a file and as an object', async () => {
  const profile = {
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      {
        names: ['socket'],
        action: 'SCMP_ACT_ERRNO',
        errnoRet: 97,
        args: [
          { index: 0, value: 2, op: 'SCMP_CMP_EQ' },
          { index: 1, value: 15, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' },
        ],
      },
    ],
  }
  const file = `${folder}/profile.json`
  writeFileSync(file, JSON.stringify(profile))
  for (const seccomp of [profile, file]) {
    expect(await call({ seccomp }, number.socket, 2, 2, 0)).toBe(97)
    expect(await call({ seccomp }, number.socket, 2, 1, 0)).toBe(0)
    expect(await call({ seccomp }, number.socket, 1, 2, 0)).toBe(0)
  }
})

test('a call that ends the program is a verdict of its own', async () => {
  const kill = (action: string) => ({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['unshare'], action }],
  })
  for (const action of ['SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL', 'SCMP_ACT_TRAP']) {
    const result = await run(`${folder}/call`, [String(number.unshare), '0'], { seccomp: kill(action) })
    expect({ signal: result.signal, reason: result.reason, status: result.status }).toEqual({
      signal: 'SIGSYS',
      reason: 'signal',
      status: 159,
    })
    expect(result.verdict.headline).toBe('call was killed by seccomp for a system call that its profile forbids')
    expect(result.verdict.remedy).toContain("seccomp: 'default'; or use no profile with seccomp: 'none'")
  }
  writeFileSync(`${folder}/kill.json`, JSON.stringify(kill('SCMP_ACT_KILL_PROCESS')))
  const told = await hutch([
    'run',
    '--seccomp',
    `${folder}/kill.json`,
    '--',
    `${folder}/call`,
    String(number.unshare),
    '0',
  ])
  expect(told.status).toBe(159)
  expect(told.stderr).toContain('hutch: call was killed by seccomp')
  expect(told.stderr).toContain(`--seccomp ${folder}/kill.json`)
})

test('a profile that forbids nearly all, also what PID 1 needs, still gives the status', async () => {
  const names =
    'read write close exit exit_group execve brk mmap mprotect munmap openat newfstatat fstat arch_prctl access pread64 set_tid_address set_robust_list rseq prlimit64 getrandom faccessat'
  const smallest = {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: names.split(' '), action: 'SCMP_ACT_ALLOW' }],
  }
  for (const init of [true, false]) {
    const result = await run(`${folder}/call`, [String(number.getpid)], { seccomp: smallest, init })
    expect([init, result.stdout, result.exitCode]).toEqual([init, String(EPERM), 0])
  }
})

test('no program that execs, or was there before, is without it: PID 1, and children', async () => {
  const result = await run(
    'sh',
    ['-c', 'grep Seccomp: /proc/1/status /proc/self/status; sh -c "grep Seccomp: /proc/self/status"'],
    {
      seccomp: 'strict',
    },
  )
  expect(result.stdout!.match(/Seccomp:\s+2/g)).toHaveLength(3)
})

test('PID 1 has its own filter before the command begins', async () => {
  const starts = Array.from({ length: process.env.VM ? 20 : 100 }, () =>
    run('grep', ['Seccomp:', '/proc/1/status'], { seccomp: 'strict' }),
  )
  const told = (await Promise.all(starts)).map(({ stdout }) => stdout)
  expect(told.filter((text) => text !== 'Seccomp:\t2\n')).toEqual([])
})

test('without the option there is no filter', async () => {
  const result = await run('grep', ['Seccomp:', '/proc/self/status'])
  const own = await run('grep', ['Seccomp:', '/proc/self/status'], { seccomp: 'none' })
  expect([result.stdout, own.stdout]).toEqual(['Seccomp:\t0\n', 'Seccomp:\t0\n'])
})

test('with new privileges it is installed by a right that the command itself is not to have', async (context) => {
  requires(context, 'root')
  const own = ['-c', 'grep -E "^(CapPrm|CapEff|NoNewPrivs|Seccomp):" /proc/self/status']
  const admin = (text: string) =>
    [...text.matchAll(/Cap.*(\w{16})/g)].map(([, mask]) => (BigInt(`0x${mask}`) >> 21n) & 1n)
  for (const options of [
    { capDrop: 'SYS_ADMIN' },
    { user: 'nobody' },
    { user: 'nobody', isolate: 'none' },
  ] as RunOptions[])
    for (const init of [true, false]) {
      const { stdout } = await run('sh', own, { seccomp: 'strict', newPrivileges: true, init, ...options })
      expect([options, admin(stdout!), stdout]).toEqual([
        options,
        [0n, 0n],
        expect.stringMatching(/NoNewPrivs:\t0\nSeccomp:\t2/),
      ])
    }
})

test('with new privileges and without that right there is none to be had, and the error says so', async (context) => {
  requires(context, 'root', 'setpriv(1)')
  const args = ['--seccomp', 'strict', '--new-privileges', '--isolate', 'none', '--', 'true']
  expect((await runAs(65534, args)).stderr).toBe(
    [
      'hutch: cannot install the system call filter: the kernel refused (EACCES)',
      '  requested by --seccomp',
      '  refused system call: prctl',
      '  remedy: it takes no_new_privs, or CAP_SYS_ADMIN: leave out --new-privileges',
      '',
    ].join('\n'),
  )
})

test('a root of its own has the default filter: no namespaces, mounts or keyrings, also not by a user namespace', async (context) => {
  requires(context, 'root')
  const image = `${folder}/image`
  mkdirSync(`${image}/data`, { recursive: true })
  compileProgram('seccomp-call', `${image}/call`, '-static')
  const errnos = async (options: RunOptions, tried: [string, number, ...(number | string)[]][]) =>
    Object.fromEntries(
      await Promise.all(
        tried.map(async ([name, ...words]) => {
          const { stdout } = await run('/call', words.map(String), { rootfs: image, isolate: 'all', ...options })
          return [name, Number(stdout)]
        }),
      ),
    )
  const [userNamespace, child] = [0x1000_0000, 17]
  const tried: [string, number, ...(number | string)[]][] = [
    ['unshare', number.unshare, userNamespace],
    ['clone', number.clone, userNamespace | child, 0, 0, 0, 0],
    ['clone3', number.clone3, 0, 0],
    ['mount', number.mount, 0, 0, 0, 0, 0],
    ['add_key', number.keyctl - 2, 0, 0, 0, 0, 0],
    ['request_key', number.keyctl - 1, 0, 0, 0, 0],
    ['keyctl', number.keyctl, 0, -3, 0],
    ['AF_VSOCK', number.socket, 40, 1, 0],
  ]
  const refused = Object.fromEntries(tried.map(([name]) => [name, name === 'clone3' ? ENOSYS : EPERM]))
  expect(await errnos({}, tried)).toEqual(refused)
  expect(await errnos({ newPrivileges: true }, tried)).toEqual(refused)
  // what a capability is for is allowed with it
  expect(await errnos({ capAdd: 'SYS_ADMIN' }, [tried[0]!])).toEqual({ unshare: 0 })
  const open = await errnos(
    { seccomp: 'none' },
    tried.filter(([name]) => ['unshare', 'keyctl', 'clone3'].includes(name)),
  )
  expect(open).toEqual({ unshare: 0, keyctl: 0, clone3: 22 })
})

const programs: [name: string, command: string, args: (folder: string) => string[], said: RegExp][] = [
  [
    'node, with threads, a child and a socket',
    process.execPath,
    () => [
      '-e',
      `const { Worker } = require('node:worker_threads'); const net = require('node:net')
      new Worker('1', { eval: true }).on('exit', () => require('node:zlib').gzip('x', () => {
        const server = net.createServer((s) => s.end('hello')).listen(0, '127.0.0.1', () =>
          net.connect(server.address().port, '127.0.0.1').on('data', (d) => {
            console.log(String(d), require('node:child_process').execFileSync('uname').length > 0,
              Object.keys(require('node:os').networkInterfaces()).length > 0); server.close() }))
      }))`,
    ],
    /hello true true/,
  ],
  [
    'python3, with threads, processes, a lock and asyncio',
    '/usr/bin/python3',
    () => [
      '-c',
      `import asyncio, multiprocessing, threading, subprocess, tempfile
def f(x): return x * 2
if __name__ == '__main__':
    threading.Thread(target=f, args=(1,)).start()
    with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(f, [1, 2]))
    async def main():
        p = await asyncio.create_subprocess_exec('true'); return await p.wait()
    print(asyncio.run(main()), subprocess.run(['true']).returncode)`,
    ],
    /\[2, 4\]\n0 0/,
  ],
  [
    'gcc, and what it made',
    'sh',
    (at) => ['-c', `cd ${at} && cp call.c made.c && gcc -O2 -pipe -o made made.c && ./made 4000`],
    /^38$/,
  ],
  [
    'git',
    'sh',
    (at) => [
      '-c',
      `cd ${at} && git init -q repo && cd repo && echo a > a && git add a &&
      git -c user.name=x -c user.email=x@y commit -qm m && git -c gc.auto=0 log --format=%s && git status --short && git clone -q . ../copy && cat ../copy/a`,
    ],
    /^m\na$/m,
  ],
  [
    'busybox',
    '/bin/busybox',
    () => ['sh', '-c', 'ls / | busybox sort | busybox head -1; date >/dev/null; id -u'],
    /\w+\n\d+/,
  ],
]

test.each(programs)('under strict works %s', async (_, command, args, said) => {
  if (command.startsWith('/') && !existsSync(command)) return
  const at = mkdtempSync(`${folder}/work-`)
  copyFileSync('test/support/programs/seccomp-call.c', `${at}/call.c`)
  const result = await run(command, args(at), { seccomp: 'strict', env: { HOME: at } })
  expect(result.stdout!.trim(), result.stderr).toMatch(said)
  expect(result.exitCode).toBe(0)
})

test('the same as a user without any rights', async (context) => {
  requires(context, 'root', 'setpriv(1)')
  const script = `${folder}/call ${number.unshare} 0; ${folder}/call ${number.getpid}; grep Seccomp: /proc/self/status`
  for (const profile of ['strict', 'default']) {
    const { stdout, stderr } = await runAs(65534, ['--seccomp', profile, '--', 'sh', '-c', script])
    expect([profile, stdout, stderr]).toEqual([profile, '10Seccomp:\t2\n', ''])
  }
})

test('--explain tells of it', async () => {
  const { stdout } = await hutch(['run', '--seccomp', 'strict', '--explain', '--', 'true'])
  expect(stdout).toMatch(/at the exec, filter system calls: \d+ instructions/)
})

test('errors name the option and the file', async () => {
  writeFileSync(
    `${folder}/bad.json`,
    '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["unshre"], "action": "SCMP_ACT_ERRNO"}]}',
  )
  const said = async (value: string) =>
    (await hutch(['run', '--seccomp', value, '--', 'true'])).stderr.trim().split('\n')
  expect(await said(`${folder}/bad.json`)).toEqual([
    `hutch: cannot use --seccomp ${folder}/bad.json: syscalls[0].names[0] is unshre: there is no such system call, so nothing would be refused`,
    '  remedy: give unshare?',
  ])
  expect(await said(`${folder}/none.json`)).toEqual([
    `hutch: cannot read the profile of --seccomp ${folder}/none.json: ENOENT`,
    '  remedy: give default, strict, none, or a file with a profile in JSON',
  ])
  expect((await said(folder))[0]).toContain('not a regular file')
  expect((await said('defalt'))[1]).toContain('give default?')
})
