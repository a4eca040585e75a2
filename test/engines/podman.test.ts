// SPDX-License-Identifier: Apache-2.0
// Podman over each runtime: containers in the foreground, and what the flags of `podman run` make of them.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { pidsLine } from './limits.ts'
import { busybox, openPodman, type Podman } from './podman.ts'
import { runtimes } from './runtimes.ts'
import { bySystemd, firstProcess } from './session.ts'

/** Those of this machine's root. */
const [, allCapabilities] = /^CapBnd:\t(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))!

/** Flags of `podman run`, a script, and what it prints. */
const rows: [flags: string, script: string, stdout: string | RegExp][] = [
  ['', 'echo out; echo err >&2', 'out\n'],
  ['-e NAME=value', 'echo $NAME', 'value\n'],
  ['--hostname inner', 'hostname', 'inner\n'],
  ['--workdir /data', 'pwd', '/data\n'],
  ['--user worker', 'id', 'uid=1000(worker) gid=1000(worker) groups=1000(worker),2000(extra)\n'],
  ['--user 7:8 --group-add 9', 'id -u; id -G', '7\n8 9\n'],
  ['--cap-drop all', 'grep -E "Cap(Inh|Prm|Eff|Bnd|Amb)" /proc/self/status | cut -f 2 | uniq', '0000000000000000\n'],
  [
    '--cap-drop all --cap-add net_admin',
    'grep -E "Cap(Prm|Eff|Bnd)" /proc/self/status | cut -f 2 | uniq',
    '0000000000001000\n',
  ],
  ['--cap-add net_admin --user worker', 'grep -E "CapEff" /proc/self/status | cut -f 2 ', '0000000000001000\n'],
  ['--security-opt no-new-privileges', 'grep NoNewPrivs /proc/self/status', 'NoNewPrivs:\t1\n'],
  ['', 'grep -E "^(NoNewPrivs|Seccomp):" /proc/self/status', 'NoNewPrivs:\t0\nSeccomp:\t2\n'],
  ['--security-opt seccomp=unconfined', 'grep ^Seccomp: /proc/self/status', 'Seccomp:\t0\n'],
  [
    '--security-opt seccomp=/session/no-mkdir.json',
    'mkdir /tmp/x 2>&1',
    "mkdir: can't create directory '/tmp/x': No such file or directory\n",
  ],
  [
    '--read-only',
    'touch /data/x 2>&1; touch /tmp/x /run/x && echo written',
    'touch: /data/x: Read-only file system\nwritten\n',
  ],
  ['--read-only --read-only-tmpfs=false', 'touch /tmp/x 2>&1', 'touch: /tmp/x: Read-only file system\n'],
  ['--tmpfs /mem:size=1m,mode=1770', 'stat -c %a /mem; df -k /mem | tail -n 1 | awk "{print \\$2}"', '1770\n1024\n'],
  ['--shm-size 2m', 'df -k /dev/shm | tail -n 1 | awk "{print \\$2}"', '2048\n'],
  [
    '-v /session/shared:/shared:ro',
    'cat /shared/file; touch /shared/x 2>&1',
    'shared\ntouch: /shared/x: Read-only file system\n',
  ],
  ['-v /session/shared:/shared', 'echo more >/shared/new; cat /shared/new', 'more\n'],
  ['-v named:/data', 'cat /data/plain', 'not a program\n'],
  // without CAP_SYS_RESOURCE no hard limit can be raised, which Podman's default of nproc would do
  ['--ulimit nofile=1000:2000 --ulimit nproc=500:500', 'ulimit -Sn; ulimit -Hn', '1000\n2000\n'],
  ['--oom-score-adj 500', 'cat /proc/self/oom_score_adj', '500\n'],
  ['--sysctl net.ipv4.ip_default_ttl=99', 'cat /proc/sys/net/ipv4/ip_default_ttl', '99\n'],
  ['--uidmap 0:100000:5000', 'cat /proc/self/uid_map; id -u', '         0     100000       5000\n0\n'],
  ['--userns auto:size=1024', 'awk "{print \\$1, \\$3}" /proc/self/uid_map', '0 1024\n'],
  [
    '--device /dev/fuse',
    'stat -c "%F %t %T" /dev/fuse; : </dev/fuse && echo opened',
    'character special file a e5\nopened\n',
  ],
  ['--device /dev/fuse:/dev/other:r', ': </dev/other && echo read; : >/dev/other', 'read\n'],
  ['--cap-add mknod', 'mknod /tmp/vda b 254 0 && head -c 1 /tmp/vda 2>&1', 'head: /tmp/vda: Operation not permitted\n'],
  ['--init', 'cat /proc/1/comm', /^(tini|podman-init)\n$/],
  ['--pid host', 'head -n 1 /proc/1/comm', `${firstProcess}\n`],
  ['--uts host', 'hostname >/dev/null && echo ok', 'ok\n'],
  ['--ipc host --net host', 'ip link show lo | grep -c LOOPBACK,UP', '1\n'],
  ['--net none', 'ls /sys/class/net', 'lo\n'],
  [
    '--cgroupns host',
    `grep ${pidsLine} /proc/self/cgroup | grep -c ${bySystemd ? '/machine.slice/libpod-.*scope' : 'libpod_parent/libpod-'}`,
    '1\n',
  ],
  ['--cgroupns private', `grep ${pidsLine} /proc/self/cgroup | cut -d : -f 3`, '/\n'],
  [
    '--privileged',
    'grep CapBnd /proc/self/status | cut -f 2; mount -t tmpfs x /tmp && echo mounted',
    `${allCapabilities}\nmounted\n`,
  ],
  ['--entrypoint /bin/echo', 'x', 'sh -c x\n'],
  ['', 'ls /sys/firmware; head -c 1 /proc/timer_list', ''],
  ['--security-opt unmask=ALL', 'ls /sys/firmware | grep -c .', /^[1-9]\d*\n$/],
  ['', 'echo 1 >/proc/sys/vm/drop_caches', ''],
  ['--umask 0077', 'umask', '0077\n'],
  ['', 'ls /proc/self/fd', '0\n1\n2\n3\n'],
  ['--stop-signal USR1 --timeout 1', 'sleep 60', ''],
]

describe.each(runtimes)('podman over $name', (runtime) => {
  let engine: Podman
  beforeAll(async () => {
    engine = await openPodman(runtime)
    engine.session.write('/session/shared/file', 'shared\n')
    const rule = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 2 }
    const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [rule] }
    engine.session.write('/session/no-mkdir.json', JSON.stringify(profile))
    const users = engine.session.read('/etc/passwd')
    engine.session.write('/etc/passwd', `${users}containers:x:999:999::/:/usr/sbin/nologin\n`)
    engine.session.write('/etc/subuid', 'containers:200000:100000\n')
    engine.session.write('/etc/subgid', 'containers:200000:100000\n')
  }, 300_000)
  afterAll(() => engine.session.close())

  test.each(rows)('podman run %s: %s', async (flags, script, stdout) => {
    const outcome = await engine.shell(flags.includes('--net') ? flags : `--net none ${flags}`.trim(), script)
    if (typeof stdout === 'string') expect(outcome).toMatchObject({ stdout })
    else expect(outcome.stdout).toMatch(stdout)
  })

  test('the exit status is the command’s', async () => {
    expect(await engine.shell('--net none', 'exit 7')).toEqual({ status: 7, stdout: '', stderr: '' })
  })

  test('stdin is passed', async () => {
    expect(await engine.shell('--net none -i', 'cat', { input: 'hello' })).toEqual({
      status: 0,
      stdout: 'hello',
      stderr: '',
    })
  })

  test('a terminal', async () => {
    const { status, stdout } = await engine.shell('--net none -it', 'tty; [ -t 0 ] && [ -t 1 ] && [ -t 2 ] && exit 3', {
      terminal: true,
    })
    expect([status, stdout]).toEqual([3, '/dev/pts/0\r\n'])
  })

  test('a missing program is 127, a file that is not a program 126', async () => {
    const missing = await engine.podman(`run --rm --net none ${busybox} /missing`)
    expect([missing.status, missing.stderr]).toEqual([127, expect.stringContaining('no such file or directory')])
    const other = await engine.podman(`run --rm --net none ${busybox} absent-from-path`)
    expect([other.status, other.stderr]).toEqual([127, expect.stringContaining('executable file not found in $PATH')])
    const plain = await engine.podman(`run --rm --net none ${busybox} /data/plain`)
    expect([plain.status, plain.stderr]).toEqual([126, expect.stringContaining('permission denied')])
  })
})
