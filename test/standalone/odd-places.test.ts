// SPDX-License-Identifier: Apache-2.0
// The binary without Node where little else is: a root of only itself and busybox, PID 1, and a kernel without newer system calls.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { binary } from '../support/command.ts'
import { requires } from '../support/requires.ts'

const directory = mkdtempSync(`${tmpdir()}/hutch-odd-places-`)
const group = `hutch-test-${process.pid}-odd`
afterAll(() => rmSync(directory, { recursive: true }))

/** Makes a directory with nothing but the binary and busybox. The script mounts it as the root of a mount namespace of its own. */
function makeRoot(mounts: string): string {
  const root = mkdtempSync(`${directory}/root-`)
  chmodSync(root, 0o755)
  for (const name of ['bin', 'proc', 'sys', 'dev', 'old']) mkdirSync(`${root}/${name}`)
  cpSync(binary, `${root}/hutch`)
  cpSync('/bin/busybox', `${root}/bin/busybox`)
  for (const tool of ['sh', 'true', 'id', 'echo', 'ls', 'umount']) symlinkSync('busybox', `${root}/bin/${tool}`)
  writeFileSync(
    `${root}/enter`,
    `set -e
    mount --make-rprivate /; mount --bind ${root} ${root}
    ${mounts}
    cd ${root}; /bin/busybox pivot_root . old
    exec /bin/sh -c 'umount -l /old; exec "$@"' sh "$@"`,
  )
  return root
}

const proc = 'mount -t proc proc proc'
const sys = 'mount --rbind /sys sys'
const dev = 'mount -t tmpfs dev dev; for n in null zero full random urandom tty; do cp -a /dev/$n dev/; done'
const jobs: [line: string, stdout: string][] = [
  ['/hutch run -- echo 1', '1\n'],
  ['/hutch run --isolate all -- id -u', '0\n'],
  ['/hutch bwrap --ro-bind / / --unshare-all echo 2', '2\n'],
  ['/hutch unshare --pid --fork --mount-proc echo 3', '3\n'],
  ['/hutch unshare -r id -u', '0\n'],
]
const limited: typeof jobs = [
  ['/hutch run --memory 20M -- echo 4', '4\n'],
  [`/hutch cgcreate -g pids:${group}`, ''],
  [`/hutch cgexec -g pids:${group} echo 5`, '5\n'],
  [`/hutch cgdelete -g pids:${group}`, ''],
]
const contained: typeof jobs = [
  ['/hutch run --sandbox -- echo 6', '6\n'],
  ['/hutch bwrap --ro-bind / / --unshare-all --dev /dev --proc /proc echo 7', '7\n'],
]

test.for<[string, string[], typeof jobs]>([
  ['/proc', [proc], jobs],
  ['/proc and /sys', [proc, sys], [...jobs, ...limited]],
  ['/proc, /sys and /dev', [proc, sys, dev], [...jobs, ...limited, ...contained]],
])('in a root of busybox with %s', { timeout: 120_000 }, async ([, mounts, lines], context) => {
  requires(context, 'root', 'busybox', 'unshare(1)')
  const root = makeRoot(`cd ${'$(dirname "$0")'}; ${mounts.join('; ')}`)
  for (const [line, stdout] of lines)
    expect([line, await collect('unshare', ['--mount', 'sh', `${root}/enter`, ...line.split(' ')])]).toEqual([
      line,
      { status: 0, stdout, stderr: '' },
    ])
})

test('without /proc, each command says so', { timeout: 60_000 }, async (context) => {
  requires(context, 'root', 'busybox', 'unshare(1)')
  const root = makeRoot('')
  const enter = (line: string) => collect('unshare', ['--mount', 'sh', `${root}/enter`, ...line.split(' ')])
  expect((await enter('/hutch --version')).status).toBe(0)
  for (const [line] of [...jobs, ...limited, ...contained, ['/hutch lsns'], ['/hutch hog 3M'], ['/hutch doctor']] as [
    string,
  ][]) {
    const { status, stdout, stderr } = await enter(line)
    expect([line, status === 0, stdout]).toEqual([line, false, ''])
    expect(stderr).toMatch(
      /^[a-z]+: cannot run here: \/proc cannot be read: ENOENT[^\n]*\n {2}remedy: [^\n]*\/proc mounted[^\n]*\n$/,
    )
  }
})

test('as PID 1: status, signals, and PID 1 of a job below it', { timeout: 60_000 }, async (context) => {
  requires(context, 'root', 'unshare(1)')
  const first = (script: string) =>
    collect('unshare', [
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-c',
      script.replaceAll('hutch ', `${binary} `),
    ])
  expect(await first("exec hutch run --isolate none -- sh -c 'echo $PPID; exit 3'")).toMatchObject({
    status: 3,
    stdout: '1\n',
  })
  expect(await first("exec hutch run --pids 20 -- sh -c 'echo $$; exit 4'")).toMatchObject({ status: 4, stdout: '2\n' })
  expect(await first("exec hutch unshare --pid --fork --mount-proc sh -c 'echo $$; exit 5'")).toMatchObject({
    status: 5,
    stdout: '1\n',
  })
  const ended = await first('(sleep 0.5; kill -TERM 1) & exec hutch run -- sleep 20')
  expect(ended).toMatchObject({ status: 143, stderr: expect.stringContaining('interrupted by SIGTERM') })
})

/** System calls newer than Linux 5.10 that hutch, or what it executes, could make. */
const newer =
  'epoll_pwait2 mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret process_mrelease ' +
  'futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount'

test('without the system calls that are newer than Linux 5.10', { timeout: 120_000 }, async (context) => {
  requires(context, 'root')
  const profile = `${directory}/newer.json`
  const rule = { names: newer.split(' '), action: 'SCMP_ACT_ERRNO', errnoRet: 38 }
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }))
  const run = (line: string) =>
    collect(binary, [
      'run',
      '--isolate',
      'none',
      '--seccomp',
      profile,
      '--quiet',
      '--',
      'sh',
      '-c',
      line.replaceAll('hutch ', `${binary} `),
    ])
  for (const [line, stdout] of [
    ['hutch run -- echo 1', '1\n'],
    ['hutch run --memory 50M --pids 10 -- echo 2', '2\n'],
    ['hutch run --isolate all -- id -u', '0\n'],
    ['hutch run --seccomp strict -- echo 3', '3\n'],
    ['hutch run --user nobody -- id -un', 'nobody\n'],
    ['hutch unshare --pid --fork --mount-proc sh -c "echo \\$\\$"', '1\n'],
    ['hutch unshare -r id -u', '0\n'],
    [`hutch cgcreate -g pids:${group}; hutch cgexec -g pids:${group} echo 4; hutch cgdelete pids:${group}`, '4\n'],
    [`hutch compile -o ${directory}/job --pids 10 -- echo 5 && ${directory}/job`, '5\n'],
  ] as const)
    expect([line, await run(line)]).toEqual([line, { status: 0, stdout, stderr: '' }])
  // a root of its own needs mount_setattr
  for (const line of ['hutch run --sandbox -- true', 'hutch bwrap --ro-bind / / true']) {
    const { status, stderr } = await run(line)
    expect(status).not.toBe(0)
    expect(stderr).toMatch(/this kernel lacks the system call \(ENOSYS\)[\s\S]*refused system call: mount_setattr/)
  }
})
