// SPDX-License-Identifier: Apache-2.0
// Constants of the kernel that TypeScript tables contain have the values of the kernel's headers, which the C core includes. The compiler
// compares them. Constants of hutch's own wire format have the values of program.h.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { capabilityNumbers } from '../../src/credentials/capability.ts'
import { parseIoPriority } from '../../src/credentials/priority.ts'
import { namespaces } from '../../src/namespaces/namespace.ts'
import { mountAttributes, mountFlags } from '../../src/ops/mount-flags.ts'
import { orderBytesAtMost } from '../../src/ops/wire.ts'
import { parseLandlock } from '../../src/options/landlock-option.ts'
import { machines, x32Bit } from '../../src/seccomp/arch.ts'
import { actions, errnos } from '../../src/seccomp/profile.ts'

type Constants = [name: string, value: number][]

const read = (path: string) => readFileSync(path, 'utf8')

/** The lines `NAME: number` between two texts of a file. */
function numbersIn(path: string, from: string, to: string): Constants {
  const text = read(path)
  const part = text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)))
  return [...part.matchAll(/(\w+): (?:\[|\{ policy: )?(0x[\da-f_]+|0o[\d_]+|\d[\d_]*)\b/gi)].map(([, name, value]) => [
    name!,
    Number(value!.replaceAll('_', '')),
  ])
}

const prefixed = (prefix: string, table: object): Constants =>
  Object.entries(table).map(([name, value]) => [
    `${prefix}${name.replace(/(?=[A-Z][a-z])/g, '_').toUpperCase()}`,
    value as number,
  ])

/** The access rights of Landlock in kernel.h. The headers may be older and lack some. */
const landlock = [...read('native/lib/kernel.h').matchAll(/K_LANDLOCK_(\w+) = 1 << (\d+),/g)].map(
  ([, name, bit]): [string, number] => [`LANDLOCK_ACCESS_FS_${name}`, 2 ** Number(bit)],
)

const audit: { [machine: string]: string } = {
  x86_64: 'X86_64',
  x86: 'I386',
  x32: 'X86_64',
  aarch64: 'AARCH64',
  arm: 'ARM',
}
const flagNames: { [kind: string]: string } = {
  mount: 'CLONE_NEWNS',
  cgroup: 'CLONE_NEWCGROUP',
  uts: 'CLONE_NEWUTS',
  ipc: 'CLONE_NEWIPC',
  pid: 'CLONE_NEWPID',
  net: 'CLONE_NEWNET',
  user: 'CLONE_NEWUSER',
  time: 'CLONE_NEWTIME',
}
const callArguments = 'src/seccomp/call-arguments.ts'
const groups: [headers: string[], constants: Constants][] = [
  [
    [
      ...['linux/sched.h', 'linux/mount.h', 'linux/seccomp.h', 'linux/audit.h', 'linux/capability.h', 'linux/errno.h'],
      ...['linux/ioprio.h', 'linux/landlock.h'],
    ],
    [
      ['IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 3)', parseIoPriority('realtime:3')!],
      ['IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 7)', parseIoPriority('best-effort:7')!],
      ['IOPRIO_PRIO_VALUE(IOPRIO_CLASS_IDLE, 0)', parseIoPriority('idle')!],
      ...landlock,
      ...Object.entries(namespaces).map(([kind, { flag }]): [string, number] => [flagNames[kind]!, flag]),
      ...prefixed('MS_', mountFlags),
      ...prefixed('MOUNT_ATTR_', { ...mountAttributes, ro: undefined }).filter(([, value]) => value !== undefined),
      ['MOUNT_ATTR_RDONLY', mountAttributes.ro],
      ...prefixed('CAP_', capabilityNumbers),
      ...prefixed('SECCOMP_RET_', { ...actions, notify: undefined }).filter(([, value]) => value !== undefined),
      ['SECCOMP_RET_USER_NOTIF', actions.notify],
      ...machines.map(({ name, word }): [string, number] => [`AUDIT_ARCH_${audit[name]}`, word]),
      ...prefixed('', errnos),
      ...numbersIn(callArguments, '  clone: {', '  umount: {'),
    ],
  ],
  [
    ['fcntl.h', 'sched.h', 'sys/mount.h', 'sys/resource.h', 'sys/socket.h'],
    [
      ...numbersIn(callArguments, '  umount: {', '\n}\n'),
      ...numbersIn('src/credentials/rlimit.ts', 'const resources', '\n}\n').map(([name, value]): [string, number] => [
        `RLIMIT_${name.toUpperCase()}`,
        value,
      ]),
      ...numbersIn('src/credentials/priority.ts', 'const policies', '\n}\n').map(([name, value]): [string, number] => [
        `SCHED_${name.toUpperCase()}`,
        value,
      ]),
      ...[...read(callArguments).matchAll(/^ {2}(\d+): '(AF_\w+)',$/gm)].map(([, value, name]): [string, number] => [
        name!,
        Number(value),
      ]),
    ],
  ],
  [[`${process.cwd()}/native/lib/kernel.h`], [['K_X32_SYSCALL_BIT', x32Bit]]],
]

/** Returns the compiler's errors for a C file that compares each constant. */
function compare(headers: readonly string[], constants: Constants): string {
  const input = [
    '#define _GNU_SOURCE',
    ...headers.map((header) => (header.startsWith('/') ? `#include "${header}"` : `#include <${header}>`)),
    ...constants.map(([name, value]) => {
      const assertion = `_Static_assert((unsigned)${name} == ${value}u, "${name}");`
      return landlock.some(([known]) => known === name) ? `#ifdef ${name}\n${assertion}\n#endif` : assertion
    }),
  ].join('\n')
  return spawnSync('gcc', ['-fsyntax-only', '-Inative', '-x', 'c', '-'], { input: `${input}\n`, encoding: 'utf8' })
    .stderr
}

test("constants of the kernel have the values of the kernel's headers", () => {
  for (const [headers, constants] of groups) {
    expect(constants.length).toBeGreaterThan(0)
    expect(compare(headers, constants)).toBe('')
  }
  expect(groups.map(([, constants]) => constants.length > 30 || constants.length === 1)).toEqual([true, true, true])
  expect(landlock).toHaveLength(16)
  expect(compare(['linux/sched.h'], [['CLONE_NEWNS', 1]])).toContain('CLONE_NEWNS')
  expect(compare(['linux/landlock.h'], [['LANDLOCK_ACCESS_FS_REFER', 1]])).toContain('LANDLOCK_ACCESS_FS_REFER')
})

test('constants of the wire are those of program.h', () => {
  const header = read('native/wire/program.h')
  const defined = (name: string) => Number(new RegExp(`#define ${name} (\\d+)`).exec(header)?.[1])
  for (const [letter, name] of Object.entries({ r: 'ACCESS_READ', w: 'ACCESS_WRITE', x: 'ACCESS_EXECUTE' }))
    expect([name, parseLandlock({ landlock: [`/:${letter}`] }, String)[0]!.access]).toEqual([name, defined(name)])
  expect(orderBytesAtMost).toBe(defined('ORDER_BYTES_AT_MOST') - 4)
  expect(Number(/const maxStreams = (\d+)/.exec(read('src/run/stdio-sources.ts'))?.[1])).toBe(defined('MAX_STREAMS'))
})
