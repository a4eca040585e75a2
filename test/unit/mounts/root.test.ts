// SPDX-License-Identifier: Apache-2.0
// An own root and its mounts as a plan.
import { readFileSync } from 'node:fs'
import { array, assert, constantFrom, property, string } from 'fast-check'
import { expect, test } from 'vitest'
import { HutchError } from '../../../src/errors/errors.ts'
import { maskedProc, maskedSys, readOnlyProc } from '../../../src/mounts/masked-paths.ts'
import { explainProgram } from '../../../src/ops/explain.ts'
import { type MountOption, parseMounts, withTarget } from '../../../src/options/mount-options.ts'
import type { RunOptions } from '../../../src/options/options.ts'
import { compilePlan } from '../../../src/plan/compile.ts'
import type { PlanFacts } from '../../../src/plan/plan.ts'
import { hybrid, plan, v2 } from '../hosts.ts'

const [ro, nosuid, nodev, noexec] = [1, 2, 4, 8] as const
const one = (option: unknown) => {
  const { origin, ...mount } = parseMounts([option], 'library')[0]!
  expect(origin).toMatch(/^mounts\[0\]\.(volume|tmpfs|overlay)$/)
  return mount
}

test.each<[MountOption, object]>([
  [{ volume: '/a:/b' }, { type: 'bind', data: [], source: '/a', target: '/b', flags: nosuid + nodev, recursive: true }],
  [
    { volume: 'a:/b/:ro,suid,dev,bind' },
    { type: 'bind', data: [], source: 'a', target: '/b', flags: ro, absent: nosuid + nodev, recursive: false },
  ],
  [
    { volume: '/a:/b:ro,rw,noexec' },
    { type: 'bind', data: [], source: '/a', target: '/b', flags: nosuid + nodev + noexec, absent: ro, recursive: true },
  ],
  [
    { volume: 'a\\:b\\c\\\\:/d:rw' },
    { type: 'bind', data: [], source: 'a:b\\c\\', target: '/d', flags: nosuid + nodev, absent: ro, recursive: true },
  ],
  [
    { tmpfs: '//tmp/./x/' },
    { type: 'tmpfs', source: '', target: '/tmp/x', flags: nosuid + nodev + noexec, data: ['mode=1777'] },
  ],
  [
    { tmpfs: '/tmp:size=1.5M,mode=700,nr_inodes=9,exec' },
    {
      type: 'tmpfs',
      source: '',
      target: '/tmp',
      flags: nosuid + nodev,
      data: ['mode=700', 'size=1572864', 'nr_inodes=9'],
    },
  ],
  [
    { overlay: '/a:/b:/c' },
    {
      type: 'overlay',
      source: '',
      data: ['lowerdir=/a', 'lowerdir=/b', 'volatile'],
      target: '/c',
      flags: nosuid + nodev,
    },
  ],
  [
    { overlay: '/a:/c:upper=u,work=w,suid' },
    { type: 'overlay', source: '', data: ['lowerdir=/a', 'upperdir=u', 'workdir=w'], target: '/c', flags: nodev },
  ],
  [
    { overlay: '/a:/b:/:ro' },
    {
      type: 'overlay',
      source: '',
      data: ['lowerdir=/a', 'lowerdir=/b'],
      target: '/',
      flags: ro + nosuid + nodev,
    },
  ],
])('%j is read', (option, mount) => expect(one(option)).toEqual({ ...mount, typed: Object.values(option)[0] }))

test.each<[unknown, string]>([
  [{ volume: '/a' }, 'wrong parts'],
  [{ volume: '/a:/b:/c' }, 'wrong parts'],
  [{ volume: ':/b' }, 'a path is empty'],
  [{ volume: '/a:b' }, 'not an absolute path'],
  [{ volume: '/a:/b:r0' }, 'there is no such option'],
  [{ volume: '/a:/b:noexc' }, 'give noexec'],
  [{ volume: '/a:/b:ro=1' }, 'takes no value'],
  [{ volume: '/a:/b:size=1M' }, 'there is no such option'],
  [{ volume: '/a:/b\0' }, 'without NUL'],
  [{ volume: 5 }, 'without NUL'],
  [{ volume: '/a:/b', tmpfs: '/c' }, 'not one mount'],
  [{ bind: '/a:/b' }, 'not one mount'],
  [{}, 'not one mount'],
  [null, 'not one mount'],
  ['/a:/b', 'not one mount'],
  [{ tmpfs: 'tmp' }, 'not an absolute path'],
  [{ tmpfs: '/tmp:size=0' }, 'give a size'],
  [{ tmpfs: '/tmp:size=max' }, 'give a size'],
  [{ tmpfs: '/tmp:size' }, 'the value is missing'],
  [{ tmpfs: '/tmp:mode=999' }, 'an octal mode'],
  [{ tmpfs: '/tmp:size=1M:ro' }, 'wrong parts'],
  [{ overlay: '/a' }, 'wrong parts'],
  [{ overlay: '/a:/b:upper=u' }, 'go together'],
  [{ overlay: '/a:/b:ro' }, 'two layers'],
  [{ overlay: '/a:/b:ro,upper=u,work=w' }, 'needs no upper'],
  [{ overlay: `${'/a:'.repeat(11)}/b` }, 'more than 10 layers'],
  [{ tmpfs: `/${'x/'.repeat(2000)}` }, 'too long'],
])('%j is refused', (option, words) => {
  expect(() => parseMounts([option], 'library')).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(words) }),
  )
})

test('random words give a mount with an absolute target or a HutchError', () => {
  const piece = constantFrom(':', '/', '\\', ',', '=', '..', 'ro', 'size', 'upper', 'a', '\n', '\u{1f430}')
  const words = array(piece).map((pieces) => pieces.join(''))
  assert(
    property(constantFrom('volume', 'tmpfs', 'overlay'), words, string(), (kind, word, rest) => {
      try {
        for (const mount of parseMounts([{ [kind]: word }, { [kind]: word + rest }], 'cli')) {
          expect(mount.target).toMatch(/^\/([^/\0]+(\/[^/\0]+)*)?$/)
          expect(mount.origin).toBe(`--${kind}`)
        }
      } catch (error) {
        expect(HutchError.is(error), String(error)).toBe(true)
      }
    }),
    { numRuns: 3000 },
  )
})

const innerOf = (options: RunOptions, around: Partial<PlanFacts> = {}) =>
  compilePlan(plan(hybrid, options, {}, around)).inner

test('the order: private, root, mounts, /proc, /sys, /dev and what goes into them, pivot, user', () => {
  const ops = innerOf(
    {
      rootfs: '/image',
      readOnly: true,
      mounts: [{ volume: '/v:/dev/v' }, { tmpfs: '/tmp' }, { overlay: '/o:/device' }],
      workdir: '/w',
    },
    { user: { uid: 5, gid: 5, groups: [] } },
  )
  const targets = ops
    .map((op) => ('target' in op ? `${op.op} ${op.target}` : op.op))
    .filter((word) => !/^(coverPath|makeLink|joinGroup|attach\w+ \w)/.test(word))
  const pivot = targets.indexOf('pivotRoot')
  expect(targets.slice(targets.indexOf('mount /'), pivot)).toEqual([
    'mount /',
    'openRoot',
    'attachNew /tmp',
    'attachOverlay /device',
    'attachNew /proc',
    'attachNew /sys',
    'attachNew /dev',
    'attachTree /dev/v',
    'attachGroups /sys/fs/cgroup',
  ])
  // paths of the command are inside, and its rights are taken away last
  expect(targets.slice(pivot).filter((word) => /changeDirectory|setUser|exec/.test(word))).toEqual([
    'setUser',
    'changeDirectory',
    'exec',
  ])
  expect(ops.find((op) => op.op === 'openRoot')).toMatchObject({ source: '/image', attributes: ro + nodev, makes: 1 })
})

test('covers follow the file system that they are meant from', () => {
  const ops = innerOf({ rootfs: '/image' })
  const covered: { [target: string]: string[] } = {}
  let at = ''
  for (const op of ops) {
    if ('target' in op && op.target.startsWith('/')) at = op.target
    if (op.op === 'coverPath') covered[at] = [...(covered[at] ?? []), op.path]
  }
  expect(covered).toEqual({
    '/proc': [...readOnlyProc, ...maskedProc].map(([path]) => path),
    '/sys': maskedSys.map(([path]) => path),
  })
})

test('no mount point is made on the host’s own root', () => {
  for (const options of [
    { readOnly: true },
    { dev: true },
    { rootfs: '/' },
    { rootfs: '//./' },
    { mounts: [{ tmpfs: '/tmp' }] },
  ])
    expect(innerOf(options).find((op) => op.op === 'openRoot')).toMatchObject({ makes: 0 })
})

test('without a wish for a root there is none', () => {
  expect(innerOf({ mounts: [], readOnly: false, dev: false }).map((op) => op.op)).not.toContain('openRoot')
})

test('a root takes a mount namespace and Linux 5.12', () => {
  expect(() => innerOf({ readOnly: true, isolate: ['pid'] })).toThrow(
    expect.objectContaining({ code: 'OPTION_CONFLICT' }),
  )
  expect(() => plan({ ...hybrid, kernel: [5, 11], release: '5.11.0' }, { dev: true })).toThrow(
    expect.objectContaining({ code: 'HOST_UNSUPPORTED', message: expect.stringContaining('5.11.0') }),
  )
  plan({ ...hybrid, kernel: [5, 11] })
})

test('every step is explained, and shell lines quote what needs it', () => {
  const steps = explainProgram(
    compilePlan(
      plan(hybrid, {
        rootfs: '/an image',
        mounts: [
          { volume: "/it's:/a b:ro" },
          { tmpfs: '/tmp' },
          { overlay: '/l:/m:upper=/u,work=/w' },
          { overlay: '/l:/n' },
        ],
      }),
    ),
  )
  const shell = steps.filter(({ op }) => /^(open|attach|cover|makeL|pivot)/.test(op)).map((step) => step.shell)
  expect(shell.every(Boolean)).toBe(true)
  expect(shell.slice(0, 5)).toEqual([
    "mount --rbind '/an image' $ROOT; mount -o remount,bind,nodev $ROOT",
    `mount --rbind '/it'\\''s' $ROOT'/a b'; mount -o remount,bind,ro,nosuid,nodev $ROOT'/a b'`,
    'mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs $ROOT/tmp',
    'mount -t overlay -o lowerdir=/l,upperdir=/u,workdir=/w overlay $ROOT/m',
    'mount -t overlay -o lowerdir=/l,upperdir=$TMPFS/upper,workdir=$TMPFS/work overlay $ROOT/n',
  ])
})

test('docs/root.md lists what is hidden and read-only, with the same reasons', () => {
  const told = [...readFileSync('docs/root.md', 'utf8').matchAll(/^\| \/(proc|sys)\/(\S+) \| (\S+) \| (.+) \|$/gm)].map(
    (row) => row.slice(1),
  )
  expect(told).toEqual([
    ...maskedProc.map((row) => ['proc', row[0], 'hidden', row[1]]),
    ...maskedSys.map((row) => ['sys', row[0], 'hidden', row[1]]),
    ...readOnlyProc.map((row) => ['proc', row[0], 'read-only', row[1]]),
  ])
})

test.each([
  ['volume', 'a\\:b:/c:ro', 'a\\:b:/d\\:e:ro'],
  ['volume', 'a:/c', 'a:/d\\:e'],
  ['tmpfs', '/c:size=1M', '/d\\:e:size=1M'],
  ['tmpfs', '/c', '/d\\:e'],
  ['overlay', '/a:/b:/c:upper=u,work=w', '/a:/b:/d\\:e:upper=u,work=w'],
] as const)('%s %s gets another target', (kind, word, other) => expect(withTarget(kind, word, '/d:e')).toBe(other))

test('a container without groups of its own sees those of the caller, read-only (CVE-2023-25809)', () => {
  const cgroup = {
    type: 'cgroup',
    source: 'cgroup',
    target: '/sys/fs/cgroup',
    flags: nosuid,
    data: [],
    origin: 'mounts[0]',
  }
  for (const [host, sources] of [
    [v2, ['/cg/init.scope']],
    [hybrid, ['/cg/memory', '/cg/pids', '/cg/cpu', '/cg/cpuset', '/cg/unified']],
  ] as const) {
    const own = plan(host, { rootfs: '/r' })
    const root = { ...own.spec.root!, standard: false as const, mounts: [cgroup] }
    const find = (change: object) =>
      compilePlan({ ...own, ...change, spec: { ...own.spec, root } }).inner.find(({ op }) => op === 'attachGroups')
    expect(find({ groups: [] })).toMatchObject({ sources, attributes: nosuid + ro, required: 1 })
    const groups = own.groups.map(({ directory }) => directory)
    expect(find({})).toMatchObject({ sources: expect.arrayContaining(groups), attributes: nosuid })
  }
})
