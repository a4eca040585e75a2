// SPDX-License-Identifier: Apache-2.0
// The drop-ins' pure parts: options, cgconfig.conf, translation. On any text they give data or a HutchError.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseAssignment } from '../../../src/dropin/cgroup-tools/cgset.ts'
import { parseGroupSpec } from '../../../src/dropin/cgroup-tools/group-spec.ts'
import { isTranslatable, translateName, translateWrite } from '../../../src/dropin/cgroup-tools/translate.ts'
import { getopt, type OptionTable } from '../../../src/dropin/getopt.ts'
import { HutchError } from '../../../src/errors/errors.ts'
import { parseKernelControllers } from '../../../src/host/kernel-controllers.ts'
import { parseConfiguration } from '../../../src/rules/config-file.ts'
import { formatRequest, parseRequest } from '../../../src/rules/sticky.ts'

/** The value, or the code of the HutchError; anything else is thrown on. */
function outcome<T>(run: () => T): T | string {
  try {
    return run()
  } catch (error) {
    if (HutchError.is(error)) return error.code
    throw error
  }
}

describe('getopt', () => {
  const table: OptionTable = {
    g: { value: 'SPEC', help: '' },
    n: { help: '' },
    v: { long: ['values-only'], help: '' },
    d: { long: ['dperm'], value: 'MODE', help: '' },
    sticky: { help: '' },
    'copy-from': { value: 'GROUP', help: '' },
  }
  test.each([
    [
      ['-nv', 'a'],
      [
        ['n', ''],
        ['v', ''],
      ],
      ['a'],
    ],
    [['-gmemory:a'], [['g', 'memory:a']], []],
    [
      ['-ng', 'x', 'b'],
      [
        ['n', ''],
        ['g', 'x'],
      ],
      ['b'],
    ],
    [['a', '-n', 'b'], [['n', '']], ['a', 'b']],
    [
      ['--values', '--dp=711', '--copy', 'x'],
      [
        ['v', ''],
        ['d', '711'],
        ['copy-from', 'x'],
      ],
      [],
    ],
    [['--', '-n'], [], ['-n']],
    [['-', '--sticky'], [['sticky', '']], ['-']],
    [
      ['-g', '--', '-n'],
      [
        ['g', '--'],
        ['n', ''],
      ],
      [],
    ],
  ])('%j', (args, options, words) => {
    expect(getopt(args, table)).toEqual({ options, words })
  })
  test('without permutation the first word ends the options', () => {
    expect(getopt(['-n', 'a', '-v'], table, false)).toEqual({ options: [['n', '']], words: ['a', '-v'] })
  })
  test.each([['-x'], ['-g'], ['--nosuch'], ['--sticky=1'], ['--dperm'], ['--=x']])('%s is refused', (arg) => {
    expect(outcome(() => getopt([arg], table))).toMatch(/^OPTION_/)
  })
  test('any words give options or a HutchError', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string()),
        fc.boolean(),
        (args, permute) => void outcome(() => getopt(args, table, permute)),
      ),
    )
    const parts = fc.constantFrom('-', '--', '-n', '-g', '--d', '=', '--copy-from', 'x', '-nvg', '')
    fc.assert(
      fc.property(
        fc.array(fc.tuple(parts, parts).map((two) => two.join(''))),
        (args) => void outcome(() => getopt(args, table)),
      ),
    )
  })
})

describe('cgconfig.conf', () => {
  test('all of its sections', () => {
    expect(
      parseConfiguration(
        `# a comment
mount { cpu = /sys/fs/cgroup/cpu; "name=x" = "/with space"; }
default { perm { task { uid = root; } admin { gid = 0; fperm = 644; } } }
group a/b {
  perm { admin { uid = nobody; dperm = 750; } }
  memory { memory.limit_in_bytes = "50M"; } # behind
  pids { }
}
template users/%u { cpu { cpu.shares = 100; } }
`,
        'f',
      ),
    ).toEqual({
      mounts: [
        { controller: 'cpu', directory: '/sys/fs/cgroup/cpu', line: 2 },
        { controller: 'name=x', directory: '/with space', line: 2 },
      ],
      namespaces: [],
      defaultPerm: { task: { uid: 'root' }, admin: { gid: '0', fperm: '644' } },
      groups: [
        {
          path: 'a/b',
          line: 4,
          perm: { task: {}, admin: { uid: 'nobody', dperm: '750' } },
          controllers: [
            { name: 'memory', line: 6, settings: [{ file: 'memory.limit_in_bytes', value: '50M', line: 6 }] },
            { name: 'pids', line: 7, settings: [] },
          ],
        },
      ],
      templates: [
        {
          path: 'users/%u',
          line: 9,
          controllers: [{ name: 'cpu', line: 9, settings: [{ file: 'cpu.shares', value: '100', line: 9 }] }],
        },
      ],
    })
  })
  test.each([
    ['banana', 'f: line 1 has banana'],
    ['group a {\n pids {\n pids.max = 5\n }\n}', 'f: line 4 has "}"'],
    ['group a {\n', 'f: line 2 has the end of the file'],
    ['group a { pids { x = "open; } }', 'f: line 1 has a quoted string without an end'],
    ['\n\ngroup a { pids { } } ?', 'f: line 3 has an unexpected character: "?"'],
    ['group a { pids { } pids { } }', 'f: line 1 has pids'],
    ['systemd { slice = x; scope = y.scope; }', 'f: line 1 has x'],
    ['group ../a { pids { } }', 'for f:1: "." and ".." are not names of groups'],
    ['group a { pids { ../x = 5; } }', 'for f:1: not the name of a cgroup file'],
  ])('%j is refused with its line', (text, message) => {
    expect(() => parseConfiguration(text, 'f')).toThrow(message)
  })
  test('any text gives a configuration or a HutchError', () => {
    fc.assert(fc.property(fc.string(), (text) => void outcome(() => parseConfiguration(text, 'f'))))
    const word = fc.constantFrom(
      ...['group', 'perm', 'task', 'admin', 'mount', 'default', 'namespace', 'template', 'systemd', 'uid'],
      ...[
        '{',
        '}',
        '=',
        ';',
        '"',
        '\\',
        '#',
        '\n',
        ' ',
        '\0',
        '..',
        'a/b',
        'pids.max',
        '"x y"',
        '__proto__',
        'constructor',
      ],
    )
    fc.assert(
      fc.property(
        fc.array(word, { maxLength: 60 }),
        (words) => void outcome(() => parseConfiguration(words.join(' '), 'f')),
      ),
      { numRuns: 3000 },
    )
  })
  test('what is parsed never leads out of the tree', () => {
    const path = fc.array(fc.constantFrom('a', '..', '.', '', '\\0', 'b')).map((parts) => parts.join('/'))
    fc.assert(
      fc.property(path, (text) => {
        const parsed = outcome(() => parseConfiguration(`group "${text}" { pids { } }`, 'f'))
        if (typeof parsed !== 'string')
          expect(parsed.groups[0]!.path.split('/').some((part) => part === '..' || part === '.')).toBe(
            parsed.groups[0]!.path === '.',
          )
      }),
    )
  })
})

test('any group, assignment and list of controllers is understood or a HutchError', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const spec = outcome(() => parseGroupSpec(text, '-g'))
      if (typeof spec !== 'string') expect(spec.path).not.toMatch(/[\0-\x1f]|(^|\/)\.\.?(\/|$)/)
      const assignment = outcome(() => parseAssignment(text))
      if (typeof assignment !== 'string') expect(`${assignment.file}${assignment.value}`).not.toMatch(/[\0\n]/)
      parseKernelControllers(text)
    }),
  )
})

describe('cgxget and cgxset', () => {
  const none = () => 'max 100000'
  test.each([
    ['cpu.shares', '512', 'v1', 'v2', [['cpu.weight', '50']]],
    ['cpu.weight', '200', 'v2', 'v1', [['cpu.shares', '2048']]],
    ['cpu.shares', '2', 'v1', 'v2', [['cpu.weight', '1']]],
    ['cpu.cfs_quota_us', '50000', 'v1', 'v2', [['cpu.max', '50000 100000']]],
    ['cpu.cfs_quota_us', '-1', 'v1', 'v2', [['cpu.max', 'max 100000']]],
    ['cpu.cfs_period_us', '200000', 'v1', 'v2', [['cpu.max', 'max 200000']]],
    // two files there, whose order depends on what the group has: planWrites knows it
    ['cpu.max', '30000 100000', 'v2', 'v1', [['cpu.max', '30000 100000']]],
    ['cpu.max', 'max', 'v2', 'v1', [['cpu.max', 'max']]],
    ['memory.limit_in_bytes', '-1', 'v1', 'v2', [['memory.max', 'max']]],
    ['memory.limit_in_bytes', '50M', 'v1', 'v2', [['memory.max', '50M']]],
    ['memory.high', 'max', 'v2', 'v1', [['memory.soft_limit_in_bytes', '-1']]],
    ['cpuset.cpu_exclusive', '1', 'v1', 'v2', [['cpuset.cpus.partition', 'root']]],
    ['pids.max', '5', 'v1', 'v1', [['pids.max', '5']]],
  ] as const)('%s=%s of %s on %s', (file, value, from, to, writes) => {
    expect(translateWrite(file, value, from, to, none)).toEqual(writes)
  })
  test('what has nothing like it is refused', () => {
    expect(isTranslatable('memory.swappiness', 'v1', 'v2')).toBe(false)
    expect(outcome(() => translateName('memory.swappiness', 'v1', 'v2'))).toBe('CGROUP_LIMIT_UNSUPPORTED')
  })
})

test('what cgexec tells the daemon is what the daemon reads', () => {
  for (const flags of [0, 1, 2] as const)
    expect(parseRequest(formatRequest({ pid: 4711, flags }))).toEqual({ pid: 4711, flags })
})
