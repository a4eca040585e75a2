// SPDX-License-Identifier: Apache-2.0
// Command lines as callers send them, odd ones too: what they mean, or how they are refused.
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  type FlagValues,
  type GlobalOptions,
  type OciCall,
  parseCommand,
  parseGlobal,
} from '../../../src/oci/arguments.ts'
import { ociCommands } from '../../../src/oci/flag-table.ts'

const parse = (line: string) => {
  const words = line === '' ? [] : line.split(' ').map((word) => word.replaceAll('␣', ' ').replaceAll('∅', ''))
  return parseCommand(parseGlobal(words))
}
const defaults: GlobalOptions = { debug: false, logFormat: 'text', cgroupManager: 'cgroupfs', rootless: 'auto' }
const call = (
  command: OciCall['command'],
  parts: Partial<Omit<OciCall, 'command' | 'global'>> & { global?: object },
) => ({
  id: '',
  words: [],
  options: {},
  signal: 0,
  ...parts,
  command,
  global: { ...defaults, ...parts.global },
})

const create = { bundle: '/b', 'pid-file': '/p' }
const json = { log: '/l', logFormat: 'json' }

const lines: [line: string, meaning: object][] = [
  // conmon
  ['create --bundle /b --pid-file /p x', call('create', { id: 'x', options: create })],
  [
    '--systemd-cgroup --log-format=json --log /l create --bundle /b --pid-file /p --no-pivot --no-new-keyring --preserve-fds 2 --console-socket /s x',
    call('create', {
      id: 'x',
      global: { ...json, cgroupManager: 'systemd' },
      options: { ...create, 'no-pivot': true, 'no-new-keyring': true, 'preserve-fds': 2, 'console-socket': '/s' },
    }),
  ],
  [
    '--cgroup-manager disabled create --bundle /b --pid-file /p x',
    call('create', { id: 'x', options: create, global: { cgroupManager: 'disabled' } }),
  ],
  [
    '--log-format=json --log /l exec --pid-file /p --process /f.json --detach --console-socket /s x',
    call('exec', {
      id: 'x',
      global: json,
      options: { 'pid-file': '/p', process: '/f.json', detach: true, 'console-socket': '/s' },
    }),
  ],
  [
    'restore --bundle /b --pid-file /p --detach --image-path /i --work-path /w --tcp-established --tcp-close --file-locks --lsm-mount-context=c --lsm-profile=selinux:x x',
    call('restore', {
      id: 'x',
      options: {
        ...create,
        detach: true,
        'image-path': '/i',
        'work-path': '/w',
        'tcp-established': true,
        'tcp-close': true,
        'file-locks': true,
        'lsm-mount-context': 'c',
        'lsm-profile': 'selinux:x',
      },
    }),
  ],
  // podman
  ['start x', call('start', { id: 'x' })],
  ['kill x 15', call('kill', { id: 'x', signal: 15 })],
  ['kill --all x 9', call('kill', { id: 'x', signal: 9, options: { all: true } })],
  ['delete --force x', call('delete', { id: 'x', options: { force: true } })],
  ['pause x', call('pause', { id: 'x' })],
  ['resume x', call('resume', { id: 'x' })],
  ['update --resources=/r x', call('update', { id: 'x', options: { resources: '/r' } })],
  ['features', call('features', {})],
  ['state x', call('state', { id: 'x' })],
  [
    'checkpoint --image-path /i --work-path /w --leave-running --pre-dump --parent-path ../pre-checkpoint --ext-unix-sk x',
    call('checkpoint', {
      id: 'x',
      options: {
        'image-path': '/i',
        'work-path': '/w',
        'leave-running': true,
        'pre-dump': true,
        'parent-path': '../pre-checkpoint',
        'ext-unix-sk': true,
      },
    }),
  ],
  // containerd's shim
  [
    '--root /run/containerd/runc/default --log /l --log-format json create --bundle /b --pid-file /p x',
    call('create', { id: 'x', options: create, global: { ...json, root: '/run/containerd/runc/default' } }),
  ],
  ['kill x 10', call('kill', { id: 'x', signal: 10 })],
  ['ps --format json x', call('ps', { id: 'x', options: { format: 'json' } })],
  ['update --resources=- x', call('update', { id: 'x', options: { resources: '-' } })],
  ['update --resources - x', call('update', { id: 'x', options: { resources: '-' } })],
  [
    'restore --detach -no-subreaper --bundle /b x',
    call('restore', { id: 'x', options: { detach: true, 'no-subreaper': true, bundle: '/b' } }),
  ],
  [
    'checkpoint --manage-cgroups-mode soft --empty-ns network --empty-ns uts x',
    call('checkpoint', { id: 'x', options: { 'manage-cgroups-mode': 'soft', 'empty-ns': ['network', 'uts'] } }),
  ],
  // BuildKit, buildah, CRI-O
  [
    'run --bundle /b --no-pivot --keep x',
    call('run', { id: 'x', options: { bundle: '/b', 'no-pivot': true, keep: true } }),
  ],
  ['exec --process /f --pid-file /p x', call('exec', { id: 'x', options: { process: '/f', 'pid-file': '/p' } })],
  ['kill x SIGKILL', call('kill', { id: 'x', signal: 9 })],
  [
    '--root=/run/runc --systemd-cgroup kill -a x KILL',
    call('kill', {
      id: 'x',
      signal: 9,
      options: { all: true },
      global: { root: '/run/runc', cgroupManager: 'systemd' },
    }),
  ],
  // conmon-rs
  [
    '--root=/r --systemd-cgroup --root=/r --systemd-cgroup create --bundle /b --pid-file /p --console-socket=/s x',
    call('create', {
      id: 'x',
      options: { ...create, 'console-socket': '/s' },
      global: { root: '/r', cgroupManager: 'systemd' },
    }),
  ],
  [
    'exec -d --console-socket=/s --tty --pid-file=/p x sh -c -d --pid-file=no',
    call('exec', {
      id: 'x',
      words: ['sh', '-c', '-d', '--pid-file=no'],
      options: { detach: true, 'console-socket': '/s', tty: true, 'pid-file': '/p' },
    }),
  ],
  // Slurm
  [
    '--rootless=true --root=/run/user/7/ run node.user.7.0.0 -b /b',
    call('run', {
      id: 'node.user.7.0.0',
      options: { bundle: '/b' },
      global: { rootless: 'true', root: '/run/user/7/' },
    }),
  ],
  [
    '--rootless=true create x -b /b',
    call('create', { id: 'x', options: { bundle: '/b' }, global: { rootless: 'true' } }),
  ],
  ['kill -a x', call('kill', { id: 'x', signal: 15, options: { all: true } })],
  ['delete x --force', call('delete', { id: 'x', options: { force: true } })],
  // forms of Go's flag package
  ['-root /r state x', call('state', { id: 'x', global: { root: '/r' } })],
  ['-root=/r state x', call('state', { id: 'x', global: { root: '/r' } })],
  ['--root=a=b state x', call('state', { id: 'x', global: { root: 'a=b' } })],
  ['--root -x state x', call('state', { id: 'x', global: { root: '-x' } })],
  ['--root=∅ state x', call('state', { id: 'x' })],
  ['--root /a --root /b state x', call('state', { id: 'x', global: { root: '/b' } })],
  ['--log= state x', call('state', { id: 'x' })],
  ['--log /dev/stderr state x', call('state', { id: 'x' })],
  ['--log a␣b state x', call('state', { id: 'x', global: { log: 'a b' } })],
  ['--debug state x', call('state', { id: 'x', global: { debug: true } })],
  ['--debug=true state x', call('state', { id: 'x', global: { debug: true } })],
  ['--debug=1 state x', call('state', { id: 'x', global: { debug: true } })],
  ['--debug=T state x', call('state', { id: 'x', global: { debug: true } })],
  ['--debug=false state x', call('state', { id: 'x' })],
  ['--debug --debug=F state x', call('state', { id: 'x' })],
  ['--systemd-cgroup=false state x', call('state', { id: 'x' })],
  [
    '--systemd-cgroup=false --cgroup-manager systemd state x',
    call('state', { id: 'x', global: { cgroupManager: 'systemd' } }),
  ],
  ['--cgroup-manager=cgroupfs state x', call('state', { id: 'x' })],
  ['--rootless false state x', call('state', { id: 'x', global: { rootless: 'false' } })],
  ['--rootless auto state x', call('state', { id: 'x' })],
  ['--criu /usr/sbin/criu state x', call('state', { id: 'x' })],
  ['-- state x', call('state', { id: 'x' })],
  ['state -- x', call('state', { id: 'x' })],
  ['state -- -x', call('state', { id: '-x' })],
  ['delete -f x', call('delete', { id: 'x', options: { force: true } })],
  ['delete -f=false x', call('delete', { id: 'x', options: { force: false } })],
  ['delete -force x', call('delete', { id: 'x', options: { force: true } })],
  ['run -d x', call('run', { id: 'x', options: { detach: true } })],
  ['run x -d', call('run', { id: 'x', options: { detach: true } })],
  ['run x --detach --pid-file /p', call('run', { id: 'x', options: { detach: true, 'pid-file': '/p' } })],
  ['run -b=/b x', call('run', { id: 'x', options: { bundle: '/b' } })],
  ['run --no-subreaper x', call('run', { id: 'x', options: { 'no-subreaper': true } })],
  ['run --pidfd-socket /s x', call('run', { id: 'x', options: { 'pidfd-socket': '/s' } })],
  ['run --preserve-fds=0 x', call('run', { id: 'x', options: { 'preserve-fds': 0 } })],
  ['create x', call('create', { id: 'x' })],
  ['create --pidfd-socket=/s x', call('create', { id: 'x', options: { 'pidfd-socket': '/s' } })],
  [
    'run --no-new-keyring --console-socket /s x',
    call('run', { id: 'x', options: { 'no-new-keyring': true, 'console-socket': '/s' } }),
  ],
  [
    'exec --pidfd-socket /s --preserve-fds 1 x ls',
    call('exec', { id: 'x', words: ['ls'], options: { 'pidfd-socket': '/s', 'preserve-fds': 1 } }),
  ],
  // exec
  ['exec x ls', call('exec', { id: 'x', words: ['ls'] })],
  ['exec x ls -h --help', call('exec', { id: 'x', words: ['ls', '-h', '--help'] })],
  ['exec x -- ls', call('exec', { id: 'x', words: ['--', 'ls'] })],
  ['exec -- x ls', call('exec', { id: 'x', words: ['ls'] })],
  ['exec -t x ∅', call('exec', { id: 'x', words: [''], options: { tty: true } })],
  [
    'exec -e A=1 --env B=␣2 -e=C x env',
    call('exec', { id: 'x', words: ['env'], options: { env: ['A=1', 'B= 2', 'C'] } }),
  ],
  [
    'exec -u 1:2 -g 3 --additional-gids 4 --cwd / -c CAP_KILL --cap CAP_CHOWN x id',
    call('exec', {
      id: 'x',
      words: ['id'],
      options: { user: '1:2', 'additional-gids': [3, 4], cwd: '/', cap: ['CAP_KILL', 'CAP_CHOWN'] },
    }),
  ],
  [
    'exec --process-label l --apparmor a --no-new-privs --cgroup cpu:a --cgroup b --ignore-paused -p /f x',
    call('exec', {
      id: 'x',
      options: {
        'process-label': 'l',
        apparmor: 'a',
        'no-new-privs': true,
        cgroup: ['cpu:a', 'b'],
        'ignore-paused': true,
        process: '/f',
      },
    }),
  ],
  // signals
  ['kill x', call('kill', { id: 'x', signal: 15 })],
  ['kill x TERM', call('kill', { id: 'x', signal: 15 })],
  ['kill x term', call('kill', { id: 'x', signal: 15 })],
  ['kill x sigusr1', call('kill', { id: 'x', signal: 10 })],
  ['kill x 0', call('kill', { id: 'x', signal: 0 })],
  ['kill x 64', call('kill', { id: 'x', signal: 64 })],
  ['kill x SIGRTMIN+3', call('kill', { id: 'x', signal: 37 })],
  ['kill x RTMIN', call('kill', { id: 'x', signal: 34 })],
  ['kill x RTMAX-1', call('kill', { id: 'x', signal: 63 })],
  ['kill x KILL -a', call('kill', { id: 'x', signal: 9, options: { all: true } })],
  // list, ps, events, spec
  ['list', call('list', {})],
  ['list -q', call('list', { options: { quiet: true } })],
  ['list --format json --quiet', call('list', { options: { format: 'json', quiet: true } })],
  ['ps x', call('ps', { id: 'x' })],
  [
    'ps -f table x -ef --format json',
    call('ps', { id: 'x', words: ['-ef', '--format', 'json'], options: { format: 'table' } }),
  ],
  ['events --stats x', call('events', { id: 'x', options: { stats: true } })],
  ['events --interval 1m30s x', call('events', { id: 'x', options: { interval: 90_000 } })],
  ['events --interval=1.5s x', call('events', { id: 'x', options: { interval: 1500 } })],
  ['events --interval 100ms x', call('events', { id: 'x', options: { interval: 100 } })],
  ['events --interval 1ns x', call('events', { id: 'x', options: { interval: 1 } })],
  ['spec', call('spec', {})],
  ['spec --rootless -b /b', call('spec', { options: { rootless: true, bundle: '/b' } })],
  // update
  ['update --memory 512m x', call('update', { id: 'x', options: { memory: 512n << 20n } })],
  [
    'update --memory 1.5g --memory-swap -1 x',
    call('update', { id: 'x', options: { memory: 3n << 29n, 'memory-swap': -1n } }),
  ],
  [
    'update --memory=2KiB --memory-swap=2kb x',
    call('update', { id: 'x', options: { memory: 2048n, 'memory-swap': 2048n } }),
  ],
  ['update --memory 9223372036854775807 x', call('update', { id: 'x', options: { memory: 9223372036854775807n } })],
  [
    'update --cpu-quota -1 --cpu-period 100000 x',
    call('update', { id: 'x', options: { 'cpu-quota': -1n, 'cpu-period': 100000n } }),
  ],
  [
    'update --cpu-share 18446744073709551615 x',
    call('update', { id: 'x', options: { 'cpu-share': 18446744073709551615n } }),
  ],
  [
    'update --cpu-rt-period 5 --cpu-rt-runtime 4 --cpu-burst 3 --cpu-idle 1 --blkio-weight 10 --pids-limit 7 x',
    call('update', {
      id: 'x',
      options: {
        'cpu-rt-period': 5n,
        'cpu-rt-runtime': 4n,
        'cpu-burst': 3n,
        'cpu-idle': 1n,
        'blkio-weight': 10n,
        'pids-limit': 7n,
      },
    }),
  ],
  [
    'update x --cpuset-cpus 0-2 --cpuset-mems 0 --memory-reservation 1k --kernel-memory 1 --kernel-memory-tcp 2 --l3-cache-schema a --mem-bw-schema b',
    call('update', {
      id: 'x',
      options: {
        'cpuset-cpus': '0-2',
        'cpuset-mems': '0',
        'memory-reservation': 1024n,
        'kernel-memory': 1n,
        'kernel-memory-tcp': 2n,
        'l3-cache-schema': 'a',
        'mem-bw-schema': 'b',
      },
    }),
  ],
  // help and version
  ['', { command: 'help' }],
  ['--help', { command: 'help' }],
  ['-h', { command: 'help' }],
  ['help', { command: 'help' }],
  ['h', { command: 'help' }],
  ['help run', { command: 'help', about: 'run' }],
  ['--help run', { command: 'help', about: 'run' }],
  ['run --help', { command: 'help', about: 'run' }],
  ['run -h', { command: 'help', about: 'run' }],
  ['exec --help', { command: 'help', about: 'exec' }],
  ['--version', { command: 'version' }],
  ['-v', { command: 'version' }],
  ['-version', { command: 'version' }],
  ['--root /r --version', { command: 'version' }],
  // ids
  ['state A.b_c+d-e', call('state', { id: 'A.b_c+d-e' })],
]

test.each(lines)('%s', (line, meaning) => {
  expect(parse(line)).toEqual(meaning)
})

const refused: [line: string, code: string, words: RegExp][] = [
  ['--bogus state x', 'OPTION_UNKNOWN', /unknown option --bogus/],
  ['--rot /r state x', 'OPTION_UNKNOWN', /did you mean --root\?/],
  ['--rootless=maybe state x', 'OPTION_INVALID', /one of true, false, auto/],
  ['--log-format xml state x', 'OPTION_INVALID', /one of text, json/],
  ['--log-format jsn state x', 'OPTION_INVALID', /give json\?/],
  ['--debug=yes state x', 'OPTION_INVALID', /true or false/],
  ['--root', 'OPTION_INVALID', /value is missing/],
  ['--= state x', 'OPTION_UNKNOWN', /unknown option --/],
  ['-=x state x', 'OPTION_UNKNOWN', /unknown option -/],
  ['---root /r state x', 'OPTION_UNKNOWN', /unknown option/],
  ['sttae x', 'COMMAND_UNKNOWN', /did you mean hutch oci state/],
  ['constructor x', 'COMMAND_UNKNOWN', /unknown command constructor/],
  ['help nothing', 'COMMAND_UNKNOWN', /unknown command nothing/],
  ['state', 'WORDS_MISSING', /hutch-oci state ID/],
  ['state x y', 'ARGUMENT_UNEXPECTED', /unexpected argument y/],
  ['state ∅', 'CONTAINER_ID_INVALID', /it is empty/],
  ['state .', 'CONTAINER_ID_INVALID', /invalid container ID/],
  ['state ..', 'CONTAINER_ID_INVALID', /invalid container ID/],
  ['state a/b', 'CONTAINER_ID_INVALID', /invalid container ID/],
  ['state a␣b', 'CONTAINER_ID_INVALID', /invalid container ID/],
  ['delete --froce x', 'OPTION_UNKNOWN', /did you mean --force/],
  ['state --root /r x', 'OPTION_UNKNOWN', /give --root before the command/],
  ['run -dt x', 'OPTION_UNKNOWN', /unknown option -dt/],
  ['run x y', 'ARGUMENT_UNEXPECTED', /unexpected argument y/],
  ['run x -b', 'OPTION_INVALID', /value is missing/],
  ['run --preserve-fds -1 x', 'OPTION_INVALID', /at least 0/],
  ['run --preserve-fds 1e3 x', 'OPTION_INVALID', /at least 0/],
  ['list x', 'ARGUMENT_UNEXPECTED', /unexpected argument x/],
  ['list --format yaml', 'OPTION_INVALID', /one of table, json/],
  ['kill x HUPP', 'OPTION_INVALID', /there is no such signal/],
  ['kill x 65', 'OPTION_INVALID', /there is no such signal/],
  ['kill x SIGRTMIN+31', 'OPTION_INVALID', /there is no such signal/],
  ['kill x 9 9', 'ARGUMENT_UNEXPECTED', /unexpected argument 9/],
  ['exec x', 'COMMAND_MISSING', /hutch-oci exec \[OPTIONS\] ID/],
  ['exec', 'WORDS_MISSING', /hutch-oci exec/],
  ['exec -g a x id', 'OPTION_INVALID', /at least 0/],
  ['events --interval 5 x', 'OPTION_INVALID', /5s or 1m30s/],
  ['events --interval 0s x', 'OPTION_INVALID', /5s or 1m30s/],
  ['update --memory 1x x', 'OPTION_INVALID', /512m/],
  ['update --cpu-quota 1.5 x', 'OPTION_INVALID', /whole number/],
  ['update --cpu-share 18446744073709551616 x', 'OPTION_INVALID', /whole number/],
  ['update --memory -9223372036854775809 x', 'OPTION_INVALID', /512m/],
]

test.each(refused)('%s is refused: %s', (line, code, words) => {
  expect(() => parse(line)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(words) }))
})

/** Recorded command lines of callers. */
const recorded = readdirSync('test/oci/argv').flatMap((name) =>
  (JSON.parse(readFileSync(`test/oci/argv/${name}`, 'utf8')) as { calls: { argv: string[] }[] }).calls.map(({ argv }) =>
    argv.slice(1),
  ),
)

test('recorded command lines of callers are accepted', () => {
  expect(recorded.length).toBeGreaterThan(50)
  for (const argv of recorded) expect(parseCommand(parseGlobal(argv)).command).toMatch(/^\w+$/)
})

test('the table has at least 100 forms, and each command and each option of it', () => {
  expect(lines.length + refused.length).toBeGreaterThan(140)
  const seen = lines.map(([, meaning]) => meaning as { command: string; options?: FlagValues<Record<string, never>> })
  for (const [name, { flags }] of Object.entries(ociCommands)) {
    const own = seen.filter(({ command, options }) => command === name && options)
    expect([name, own.length > 0]).toEqual([name, true])
    if (name === 'checkpoint' || name === 'restore') continue
    const used = new Set(own.flatMap(({ options }) => Object.keys(options!)))
    expect([name, Object.keys(flags).filter((flag) => !used.has(flag))]).toEqual([name, []])
  }
})
