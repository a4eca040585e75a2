// SPDX-License-Identifier: Apache-2.0
// Mounts, devices and masked paths of config.json as the planner gets them.
import { describe, expect, test } from 'vitest'
import type { HutchError } from '../../src/errors/errors.ts'
import type { Mount } from '../../src/mounts/root.ts'
import { combineOptions, mountWords } from '../../src/oci/config/mount-options.ts'
import { toMounts } from '../../src/oci/config/mounts.ts'
import { readConfig } from '../../src/oci/config/read-config.ts'
import { toRoot } from '../../src/oci/config/root.ts'
import { minimal } from './config-documents.ts'

const facts = { bundle: '/b', hasUserNamespace: false }
const [ro, nosuid, nodev, noexec, noatime, strictatime, nodiratime, nosymfollow] = [
  1, 2, 4, 8, 0x10, 0x20, 0x80, 0x200000,
] as const

function convert(changes: { [path: string]: unknown }, more = {}) {
  const warnings: string[] = []
  const config = readConfig(JSON.stringify(minimal(changes)))
  const root = toRoot(config, { ...facts, ...more }, (message) => void warnings.push(message))
  return { root, mounts: root.mounts, warnings }
}

function mountWith(options: string[], type = 'bind'): Mount {
  const mount = { destination: '/d', source: '/s', type, options: type === 'bind' ? ['bind', ...options] : options }
  return convert({ mounts: [mount] }).mounts[0]!
}

function refused(changes: { [path: string]: unknown }): string {
  try {
    convert(changes)
  } catch (error) {
    expect((error as HutchError).code).toBe('OCI_CONFIG_INVALID')
    return (error as HutchError).summary
  }
  throw new Error('nothing was refused')
}

test('all words of the specification are known', () => {
  const plain =
    'async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow rbind relatime remount ro rw silent strictatime suid symfollow sync'
  const propagation = 'private rprivate shared rshared slave rslave unbindable runbindable'
  const recursive =
    'rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnodiratime rdiratime rrelatime rnorelatime rnoatime ratime rstrictatime rnostrictatime rnosymfollow rsymfollow'
  // runc also has acl and noacl
  const words = [plain, propagation, recursive, 'tmpcopyup idmap ridmap acl noacl'].flatMap((list) => list.split(' '))
  expect(Object.keys(mountWords).toSorted()).toEqual(words.toSorted())
})

test.each<[words: string, sets: number, clears: number]>([
  ['ro', ro, 0],
  ['rw', 0, ro],
  ['nosuid', nosuid, 0],
  ['suid', 0, nosuid],
  ['nodev', nodev, 0],
  ['dev', 0, nodev],
  ['noexec', noexec, 0],
  ['exec', 0, noexec],
  ['nodiratime', nodiratime, 0],
  ['diratime', 0, nodiratime],
  ['nosymfollow', nosymfollow, 0],
  ['symfollow', 0, nosymfollow],
  // the bits for access times are cleared together
  ['noatime', noatime, 0x70],
  ['strictatime', strictatime, 0x70],
  ['relatime', 0, 0x70],
  ['atime', 0, 0x70],
  ['nostrictatime', 0, 0x70],
  ['norelatime', 0, 0],
  ['ro rw', 0, ro],
  ['rw ro', ro, 0],
  ['noatime strictatime', strictatime, 0x70],
  ['nosuid noexec nodev ro relatime', ro + nosuid + nodev + noexec, 0x70],
  ['defaults silent loud iversion noiversion acl noacl', 0, 0],
])('%s on a mount', (words, sets, clears) => {
  const { flags, clears: cleared } = mountWith(words.split(' '))
  expect([flags, cleared]).toEqual([sets, clears])
  // with the prefix r, the same on the mounts below, and not on the mount
  const recursive = words.split(' ').map((word) => `r${word}`)
  if (recursive.some((word) => !(word in mountWords))) return
  const mount = mountWith(recursive)
  expect([mount.flags, mount.clears, mount.below]).toEqual([0, 0, { sets, clears }])
})

test.each(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave', 'unbindable', 'runbindable'])(
  'propagation %s',
  (word) => {
    expect(mountWith([word]).propagation).toBe(word)
  },
)

test('flags and other words of a file system are its data', () => {
  const options = ['sync', 'dirsync', 'lazytime', 'mand', 'async', 'nolazytime', 'nomand', 'size=5k', 'noswap']
  expect(mountWith([...options, 'nosuid'], 'tmpfs')).toMatchObject({ type: 'tmpfs', source: '/s', data: options })
})

test('bind mounts: sources below the bundle, any type, and with mounts below', () => {
  const { mounts, warnings } = convert({
    mounts: [
      { destination: '/a', type: 'none', source: 'data/./x', options: ['rbind', 'ro'] },
      { destination: 'b//c/', source: '/data', options: ['bind'] },
      { destination: '/d', source: '/data', type: 'bind' },
      { destination: '/e', source: '/data', type: 'bind', options: ['bind', 'size=5', 'x-own'] },
      { destination: '/f', type: 'none', options: ['remount', 'ro'] },
    ],
  })
  expect(mounts).toMatchObject([
    { type: 'bind', source: '/b/data/x', target: '/a', recursive: true, flags: ro, top: true, origin: 'mounts[0]' },
    { type: 'bind', source: '/data', target: '/b/c', recursive: false, flags: 0 },
    { type: 'bind', source: '/data', target: '/d', recursive: false },
    { type: 'bind', data: [] },
    { target: '/f', flags: ro, remounts: true },
  ])
  expect(warnings).toEqual([
    'mounts[1].destination: b//c/ is not an absolute path; using /b//c/',
    'mounts[3].options: size=5 has no effect on a bind mount',
    'mounts[3].options: x-own has no effect on a bind mount',
  ])
})

test('remount changes a mount, not its file system', () => {
  const remount = (...options: string[]) =>
    convert({ mounts: [{ destination: '/dev', type: 'tmpfs', source: 't', options: ['remount', ...options] }] })
      .warnings
  expect(remount('ro', 'nosuid')).toEqual([])
  expect(remount('ro', 'size=1m')).toEqual(['mounts[0].options: size=1m has no effect on an existing file system'])
})

test('a read-only tmpfs becomes so after all mounts', () => {
  const { mounts } = convert({
    mounts: [
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['ro', 'nosuid', 'mode=755'] },
      { destination: '/dev/x', type: 'tmpfs', source: 'tmpfs', options: ['tmpcopyup'] },
    ],
  })
  expect(mounts.map(({ target, flags, remounts, copiesUp }) => [target, flags, remounts, copiesUp])).toEqual([
    ['/dev', nosuid, undefined, undefined],
    ['/dev/x', 0, undefined, true],
    ['/dev', ro, true, undefined],
  ])
})

describe('id maps of a mount', () => {
  const map = [{ containerID: 0, hostID: 5, size: 2 }]
  const extents = [{ inside: 0, outside: 5, count: 2 }]
  const convertMount = (mount: object, hasUserNamespace = false) =>
    toMounts([{ destination: '/d', source: '/s', ...mount }], { bundle: '/b', hasUserNamespace }, () => {})[0]!

  test('own maps, with and without the option, and those of the user namespace', () => {
    const own = { uidMappings: map, gidMappings: map }
    expect(convertMount({ options: ['bind'], ...own })).toMatchObject({
      idmap: true,
      maps: { users: extents, groups: extents },
    })
    expect(convertMount({ options: ['rbind', 'ridmap'], ...own }).mapsBelow).toBe(true)
    expect(convertMount({ options: ['rbind', 'idmap'] }, true)).toMatchObject({ idmap: true, mapsBelow: false })
    expect(convertMount({ options: ['rbind', 'ridmap'] }, true)).toMatchObject({ idmap: true, mapsBelow: true })
    expect(convertMount({ options: ['rbind'] }, true).idmap).toBe(undefined)
  })

  test.each<[mount: object, words: string]>([
    [{ options: ['bind', 'idmap'] }, 'mounts[0].options is idmap: there is no user namespace whose maps could be used'],
    [{ options: ['bind'], uidMappings: map }, 'mounts[0]: uidMappings and gidMappings go together'],
    [{ type: 'tmpfs', options: ['idmap'] }, 'mounts[0]: only a bind mount can map ids'],
    [
      { options: ['bind', 'idmap=uids=0-1-2'] },
      'mounts[0].options is idmap=uids=0-1-2: maps in an option are not read',
    ],
  ])('%j is refused', (mount, words) => {
    expect(refused({ mounts: [{ destination: '/d', source: '/s', ...mount }] })).toBe(words)
  })
})

test.each<[mount: object, words: string]>([
  [{ source: '/s' }, 'mounts[0].type: not a type of file system'],
  [{ type: 'none', source: '/s' }, 'mounts[0].type is none: not a type of file system'],
  [{ options: ['bind'] }, 'mounts[0].source: a bind mount needs a source'],
  [{ type: 'proc', options: ['tmpcopyup'] }, 'mounts[0].options is tmpcopyup: not an option of proc'],
])('%j is refused', (mount, words) => {
  expect(refused({ mounts: [{ destination: '/d', ...mount }] })).toBe(words)
})

test('the root: propagation, read-only, masked paths exactly as given', () => {
  const { root } = convert({
    root: { path: '/images/web', readonly: true },
    'linux.rootfsPropagation': 'rslave',
    'linux.maskedPaths': ['/proc/kcore'],
    'linux.readonlyPaths': ['/proc/sys'],
  })
  expect(root).toMatchObject({
    directory: '/images/web',
    readOnly: false,
    readOnlyLast: true,
    propagation: 'rslave',
    maskedPaths: [{ path: '/proc/kcore', origin: 'linux.maskedPaths[0]' }],
    readonlyPaths: [{ path: '/proc/sys', origin: 'linux.readonlyPaths[0]' }],
  })
  expect(refused({ root: undefined })).toBe('root: this property is required')
})

describe('devices', () => {
  test('default devices and links, and further devices', () => {
    const { root } = convert({
      'linux.devices': [
        { type: 'c', path: '/dev/fuse', major: 10, minor: 229, fileMode: 0o20600, uid: 1, gid: 2 },
        { type: 'u', path: '/dev/null', major: 1, minor: 3, fileMode: 0 },
        { type: 'p', path: '/dev/pipe' },
      ],
    })
    expect(root.nodes?.map(({ path, type, major, minor, mode }) => [path, type, major, minor, mode])).toEqual([
      ['/dev/zero', 'c', 1, 5, 0o666],
      ['/dev/full', 'c', 1, 7, 0o666],
      ['/dev/random', 'c', 1, 8, 0o666],
      ['/dev/urandom', 'c', 1, 9, 0o666],
      ['/dev/tty', 'c', 5, 0, 0o666],
      ['/dev/fuse', 'c', 10, 229, 0o600],
      ['/dev/null', 'c', 1, 3, 0],
      ['/dev/pipe', 'p', 0, 0, 0o666],
    ])
    expect(root.links?.map(({ path, to }) => `${path} ${to}`)).toEqual([
      '/dev/ptmx pts/ptmx',
      '/dev/fd /proc/self/fd',
      '/dev/stdin /proc/self/fd/0',
      '/dev/stdout /proc/self/fd/1',
      '/dev/stderr /proc/self/fd/2',
      '/dev/core /proc/kcore',
    ])
  })

  test('a /dev of the host stays as it is', () => {
    const { root } = convert({ mounts: [{ destination: '/dev', source: '/dev', options: ['rbind'] }] })
    expect([root.nodes, root.links]).toEqual([[], []])
  })

  test('a device needs its numbers', () => {
    expect(refused({ 'linux.devices': [{ type: 'b', path: '/dev/x', major: 1 }] })).toBe(
      'linux.devices[0].minor: a device needs its numbers',
    )
  })
})

test('the last of several words for the same attribute counts', () => {
  const combined = combineOptions(['ro', 'noatime', 'rw', 'strictatime'])
  expect([combined.sets, combined.clears]).toEqual([strictatime, 0x70 + ro])
})

test('options can stand in one text, and quotes protect commas in a value', () => {
  expect(combineOptions(['ro,nosuid', 'size=1,mode=755'])).toMatchObject({
    sets: ro + nosuid,
    data: ['size=1', 'mode=755'],
  })
  expect(combineOptions(['context="a:b:c1,c2"', 'ro']).data).toEqual(['context=a:b:c1,c2'])
  expect(combineOptions(['a="b,c', ',', '']).data).toEqual(['a="b,c'])
})
