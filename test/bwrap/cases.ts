// SPDX-License-Identifier: Apache-2.0
// Invocations of bubblewrap, good and bad: each option in more than one company.
import type { Case } from './side.ts'

const see = (options: string, rest: Omit<Case, 'line'> = {}): Case => ({ line: `${options} PROBE`.trim(), ...rest })
const ask = (options: string, rest: Omit<Case, 'line'> = {}): Case => ({ line: options, ...rest })
const shell = (options: string, script: string, rest: Omit<Case, 'line'> = {}): Case => ({
  line: [...options.split(' '), 'sh', '-c', script],
  ...rest,
})
const look = 'find D -printf "%P %m %y %l %U\\n" | sort; cat D/file'
const namespaces = ['user', 'user-try', 'ipc', 'pid', 'net', 'uts', 'cgroup', 'cgroup-try', 'all']
const instructions = (...words: [code: number, yes: number, no: number, k: number][]) =>
  Buffer.concat(
    words.map(([code, yes, no, k]) => {
      const one = Buffer.alloc(8)
      one.writeUInt16LE(code, 0)
      one.writeUInt8(yes, 2)
      one.writeUInt8(no, 3)
      one.writeUInt32LE(k, 4)
      return one
    }),
  )
/** A system call by its number fails with this errno; mkdir and mkdirat, as this architecture numbers them. */
const forbids = (errno: number) => {
  const numbers = process.arch === 'arm64' ? [34, 34] : [83, 258]
  return instructions(
    [0x20, 0, 0, 0],
    [0x15, 1, 0, numbers[0]!],
    [0x15, 0, 1, numbers[1]!],
    [0x06, 0, 0, 0x5_0000 + errno],
    [0x06, 0, 0, 0x7fff_0000],
  )
}

export const cases: Case[] = [
  // namespaces and ids
  see('ALL'),
  ...namespaces.map((name) => see(`--unshare-${name} ALL`)),
  see('--unshare-all ALL --proc /proc --dev /dev'),
  see('--unshare-all --share-net ALL --proc /proc'),
  see('--share-net --unshare-net ALL'),
  see('--unshare-user --uid 0 --gid 0 ALL'),
  see('--unshare-user --uid 33 --gid 44 ALL'),
  see('--unshare-user --uid 33 ALL --dev /dev'),
  see('--unshare-user --gid 44 --unshare-pid ALL --proc /proc --dev /dev'),
  see('--unshare-uts --hostname burrow ALL'),
  see('--unshare-all --unshare-user --disable-userns ALL --proc /proc'),
  see('--unshare-user --disable-userns ALL --dev /dev'),
  shell('--unshare-user --disable-userns ALL', 'unshare -U true 2>&- || echo refused'),
  shell('--unshare-user ALL', 'unshare -U true && echo made'),
  ask('--unshare-user --disable-userns --assert-userns-disabled ALL true'),
  ask('--assert-userns-disabled ALL true'),
  see('--unshare-pid --as-pid-1 ALL --proc /proc'),
  shell('--unshare-net ALL', 'ip -o link 2>&- | grep -c LOWER_UP; ls /sys/class/net '),
  // capabilities
  ...['--cap-add ALL', '--cap-drop ALL', '--cap-add CAP_NET_RAW', '--cap-drop CAP_NET_RAW'].flatMap((line) => [
    see(`${line} ALL`),
    see(`--unshare-user ${line} ALL`),
  ]),
  see('--unshare-user --uid 5 --cap-add CAP_KILL --cap-add cap_chown ALL'),
  see('--cap-drop ALL --cap-add CAP_NET_RAW ALL'),
  see('--cap-add ALL --cap-drop ALL ALL'),
  see('--unshare-all --cap-add ALL --cap-drop CAP_KILL ALL --dev /dev --proc /proc'),
  // the file system
  see('MINI'),
  see('MINI --proc /proc'),
  see('MINI --proc /proc --dev /dev'),
  see('--unshare-pid MINI --proc /proc --dev /dev --tmpfs /tmp --dir /var/lib/x'),
  see('MINI --proc /proc --mqueue /mq'),
  see('MINI --proc /proc --dir /run/a/b --perms 0700 --dir /run/c/d --perms 0510 --dir /run/e'),
  see('--ro-bind / / --proc /proc --tmpfs /tmp'),
  see('--ro-bind / / --dev-bind /dev /dev --bind /var/tmp /tmp'),
  see('MINI --proc /proc --ro-bind /etc/passwd /etc/passwd --ro-bind /etc/group /etc/deep/group'),
  see('MINI --proc /proc --bind-try /no/such /a --ro-bind-try /no/such /b --dev-bind-try /no/such /c'),
  see('MINI --proc /proc --bind-try /etc /a --ro-bind-try /etc /b --dev-bind-try /dev /c'),
  see('MINI --proc proc --ro-bind /etc etc'),
  see('MINI --proc /proc --tmpfs /t --remount-ro /t --remount-ro /'),
  see('MINI --proc /proc --perms 1777 --tmpfs /t --size 1048576 --tmpfs /u --perms 0711 --size 65536 --tmpfs /v/w'),
  shell('MINI --tmpfs /t --dir /t/a --chmod 0123 /t/a --chmod 4755 /t', 'stat -c "%a %n" /t /t/a'),
  shell('MINI --symlink /usr/bin /a/b --symlink x /y', 'ls -ld /a /a/b /y; ls /a/b/sh'),
  shell('MINI --symlink x /y --symlink x /y', 'readlink /y', { since: 0.9 }),
  shell('MINI --dir /b --symlink b /e --ro-bind /etc /e/foo', 'ls -ld /b/foo; ls /b/foo/passwd'),
  shell('MINI --dir /b --symlink /b /e --ro-bind /etc /e/foo', 'ls -ld /b/foo; ls /b/foo/passwd', { since: 0.12 }),
  ask('MINI --dir /b --symlink b /e --ro-bind /etc /e ls /b', { since: 0.12 }),
  ask('MINI --dir /b --symlink b /e --chmod 700 /e ls /b', { since: 0.12 }),
  ask('MINI --dir /b --symlink b /e --dir /e ls /b', { since: 0.12 }),
  shell('MINI --bind D /d --dir /d/made --symlink a /d/link', 'touch /d/sub/touched; ls /d', { after: look }),
  shell('MINI --ro-bind D /d', 'touch /d/x 2>&- || echo refused', { after: look }),
  shell('MINI --bind D /d --tmpfs /d/sub', 'touch /d/sub/x; ls /d/sub', { after: look }),
  shell('MINI --bind D /d --remount-ro /d', 'touch /d/x 2>&- || echo refused', { after: look }),
  shell('MINI --dev-bind /dev/null /n', 'echo x > /n && echo written'),
  shell('MINI --bind /dev/null /n', 'echo x 2>&- > /n && echo written'),
  shell('MINI --dev /dev', "ls -l /dev | awk '{ print $1, $3, $4, $9, $10, $11 }'; echo x > /dev/null && echo written"),
  // data of descriptors
  shell('MINI --file 3 /f --perms 0600 --file 4 /g/h', 'stat -c "%a %n" /f /g /g/h; cat /f /g/h', {
    open: ['one\n', 'two\n'],
  }),
  shell('MINI --bind D /d --file 3 /d/file --perms 0640 --file 4 /d/sub/new', 'cat /d/file', {
    open: ['one\n', 'two\n'],
    after: look,
  }),
  shell(
    'MINI --bind-data 3 /f --perms 0444 --ro-bind-data 4 /g/h',
    'stat -c "%a %h %n" /f /g /g/h; cat /f /g/h; echo x > /f; cat /f; echo x > /g/h',
    {
      open: ['one\n', 'two\n'],
    },
  ),
  see('--ro-bind / / --ro-bind-data 3 /etc/passwd', { open: ['root:x:0:0::/:/bin/sh\n'] }),
  shell('MINI --file 3 /f', 'stat -c %s /f', { open: [Buffer.alloc(300_000, 7)] }),
  see('ALL', { open: ['one\n', 'two\n'] }),
  see('--unshare-pid ALL --proc /proc', { open: ['one\n'] }),
  ask('MINI --file 3 /f --file 3 /g true', { open: ['one\n'] }),
  ask('MINI --file 3 /no-such true'),
  ask('MINI --ro-bind /etc /d --file 3 /d/x true', { open: ['one\n'] }),
  see('MINI --proc /proc --bind-fd 3 /f --ro-bind-fd 4 /g/h', { open: ['one\n', 'two\n'], since: 0.9 }),
  // overlays
  shell(
    'MINI --overlay-src /usr/share/zoneinfo --tmp-overlay /o',
    'ls /o/UTC; touch /o/new; rm /o/UTC; ls /o/new /o/UTC 2>&1 | wc -l',
    {
      since: 0.11,
    },
  ),
  see('MINI --proc /proc --overlay-src /usr/share --overlay-src /etc --ro-overlay /o', { since: 0.11 }),
  shell('MINI --overlay-src /etc --overlay D/sub D/work /o', 'touch /o/new; ls /o/passwd', {
    since: 0.11,
    as: 'root',
    after: 'ls D/sub',
  }),
  ...[
    '--overlay-src /etc true',
    '--tmp-overlay /o true',
    '--overlay-src /etc --ro-overlay /o true',
    '--overlay-src /etc --dir /o true',
  ].map((line) => ask(`MINI ${line}`, { since: 0.11 })),
  // the environment
  { line: ['ALL', '--setenv', 'A', 'b', '--setenv', 'EMPTY', '', '--unsetenv', 'ODD', 'PROBE'] },
  see('ALL --clearenv --setenv A b'),
  see('ALL --setenv A b --clearenv'),
  see('ALL --chdir /tmp'),
  see('ALL --chdir ../etc'),
  see('ALL --chdir /no/such'),
  see('MINI --chdir /usr/share'),
  see('MINI --tmpfs /home --dir /home/x --setenv HOME /home/x', { env: { HOME: '/home/x' } }),
  ask('ALL --setenv PATH /no/such true'),
  ask('ALL --setenv PATH /no/such /usr/bin/env true'),
  ask('ALL --setenv A=B x true'),
  shell('ALL --argv0 name', 'cat /proc/$$/cmdline | tr "\\0" " " | cut -c1-8', { since: 0.9 }),
  ask('ALL --argv0 a --argv0 b true', { since: 0.9 }),
  // filters
  shell('ALL --seccomp 3', 'grep Seccomp /proc/self/status; mkdir /tmp/x 2>&1 | grep -o "File too large"', {
    open: [forbids(27)],
  }),
  // PID 1 may take the filter while the program already runs
  shell(
    '--unshare-pid ALL --proc /proc --seccomp 3',
    'i=0; until grep -q "Seccomp:.2" /proc/1/status || [ $i = 200 ]; do sleep 0.05; i=$((i+1)); done; grep Seccomp: /proc/self/status /proc/1/status',
    { open: [forbids(27)] },
  ),
  shell(
    'ALL --add-seccomp-fd 3 --add-seccomp-fd 4',
    'grep Seccomp /proc/self/status; mkdir /tmp/x 2>&1 | grep -o "Read-only"',
    {
      open: [forbids(27), forbids(30)],
    },
  ),
  ask('ALL --seccomp 3 true', { open: ['abc'] }),
  ask('ALL --seccomp 3 true', { open: ['12345678'] }),
  ask('ALL --seccomp 3 --add-seccomp-fd 4 true', { open: [forbids(1), forbids(1)] }),
  ask('ALL --seccomp 9 true'),
  // what goes on around
  shell('--info-fd 3 --json-status-fd 4 ALL', 'exit 3', { open: ['>info', '>status'], after: 'cat D/info D/status' }),
  shell('--unshare-all --info-fd 3 --json-status-fd 4 ALL', 'kill -9 $$', {
    open: ['>info', '>status'],
    after: 'cat D/info D/status',
  }),
  ask('--json-status-fd 3 ALL no-such-program', { open: ['>status'], after: 'cat D/status' }),
  ask('--json-status-fd 3 --ro-bind /no/such / true', { open: ['>status'], after: 'cat D/status' }),
  see('--block-fd 3 ALL', { open: ['x'] }),
  see('--sync-fd 3 ALL', { open: ['x'] }),
  see('--sync-fd 3 --unshare-pid ALL --proc /proc', { open: ['x'] }),
  shell(
    '--lock-file /usr/bin/env ALL --proc /proc',
    'grep -c "POSIX.*READ.*:$(stat -c %i /usr/bin/env) " /proc/locks',
    { as: 'root' },
  ),
  see('--lock-file /usr/bin/env --unshare-pid ALL --proc /proc'),
  ask('--lock-file /no/such ALL true'),
  see('--new-session ALL'),
  shell('--new-session --unshare-pid ALL --proc /proc', 'ps -o pid,sid,pgid | tail -n +2 | head -1'),
  see('--die-with-parent --unshare-pid ALL --proc /proc'),
  ask('--userns 3 ALL true', { open: ['not one'] }),
  ask('--pidns 3 ALL true', { open: ['not one'] }),
  // --args
  shell('--args 3', 'echo $A $B', { open: ['--dev-bind\0/\0/\0--setenv\0A\0b c\0'] }),
  shell('--args 3 --args 4 --setenv B x', 'echo $A $B', {
    open: ['--dev-bind\0/\0/', '--setenv\0A\0y\0--setenv\0B\0z'],
  }),
  ask('--args 3 echo outside', { open: ['--dev-bind\0/\0/\0--\0echo\0inside\0'] }),
  ask('--args 3 true', { open: ['--dev-bind\0/\0'] }),
  ask('--args 3 ALL true', { open: ['--args\x004\0'] }),
  ask('--args 3 ALL true', { open: [''] }),
  ask('--args 9 true'),
  ask('--args x true'),
  // ends
  ...[
    'true',
    'false',
    'no-such-program',
    '/etc/passwd',
    '/etc',
    '-- echo --x',
    '-x',
    '--',
    '--no-such-option',
    '--dev-bind=/ / true',
  ].map((line) => ask(`ALL ${line}`)),
  ...['exit 7', 'kill -9 $$', 'kill -TERM $$', 'kill -SEGV $$'].flatMap((script) => [
    shell('ALL', script),
    shell('--unshare-pid ALL', script),
    shell('--unshare-pid --as-pid-1 ALL', script),
  ]),
  // refused
  ask('true'),
  ...[
    '--bind',
    '--bind /etc',
    '--ro-bind /no/such /x true',
    '--bind /no/such /x true',
    'ALL --proc',
    'MINI --ro-bind /etc /etc/x/y/z --ro-bind /etc /etc/passwd/q true',
    'ALL --ro-bind /etc/passwd /usr true',
    'ALL --ro-bind /etc /etc/passwd true',
    'MINI --ro-bind /etc/passwd /usr true',
    'MINI --dir /usr/bin/sh true',
    '--ro-bind / / --dir /no-such true',
    '--ro-bind / / --symlink a /no-such true',
    'MINI --symlink a /usr true',
    'MINI --symlink a /y --symlink b /y true',
    'MINI --chmod 755 /no/such true',
    'MINI --remount-ro /usr/bin true',
    'MINI --remount-ro /no/such true',
    'MINI --perms 9 --dir /x true',
    'MINI --perms 77777 --dir /x true',
    'MINI --perms 700 --symlink a /b true',
    'MINI --perms 700 --ro-bind /etc /b true',
    'MINI --perms 700 --perms 700 --dir /b true',
    'MINI --perms 700 true',
    'MINI --perms 700 --setenv A b --dir /b ls -ld /b',
    'MINI --size 777 --dir /b true',
    'MINI --size 0 --tmpfs /b true',
    'MINI --size -5 --tmpfs /b true',
    'MINI --size 5k --tmpfs /b true',
    'MINI --size 5 --size 6 --tmpfs /b true',
    'MINI --file x /b true',
    'ALL --uid -1 --unshare-user true',
    'ALL --uid abc --unshare-user true',
    'ALL --uid 4294967294 --unshare-user true',
    'ALL --hostname x true',
    'ALL --as-pid-1 true',
    'ALL --disable-userns true',
    'ALL --userns-block-fd 9 true',
    'ALL --userns-block-fd 9 --unshare-user true',
    'ALL --cap-add no_such true',
    'ALL --exec-label x true',
    'ALL --file-label x true',
  ].map((line) => ask(line)),
  { line: ['ALL', '--unshare-user', '--uid', '+5', 'id', '-u'], differs: { as: 'numbers', status: 1 } },
  ask('MINI --perms 0755 --file 3 /script /script', {
    open: ['exit 5\n'],
    differs: { as: 'no first line', status: 1 },
  }),
  ask('ALL --uid 33 true', { as: 'root' }),
  ask('ALL --gid 33 true', { as: 'root' }),
  ...['--tmpfs', '--dir', '--proc', '--dev'].map(
    (option): Case => ({ line: ['MINI', option, '', 'true'], since: 0.13 }),
  ),
]
