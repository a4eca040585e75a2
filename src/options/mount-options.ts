// SPDX-License-Identifier: Apache-2.0
// Parses the values of --volume, --tmpfs and --overlay into mounts. Called by options.ts; pure: the kernel checks the paths later.

import { fail } from '../errors/errors.ts'
import type { Mount } from '../mounts/root.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import { nearest } from '../text/nearest.ts'
import { parseSize } from '../text/units.ts'
import { specFrontends } from './frontends.ts'

/** A mount in the syntax of Docker. Mounts are made in the order of the list; a later mount covers an earlier one. */
export type MountOption =
  /**
   * `SRC:DST[:OPTIONS]`. Options: ro, rw, noexec, suid, dev, rbind (default), bind (without the mounts below SRC), and
   * idmap (maps the files' owners with the job's id maps).
   */
  | { volume: string }
  /** `DST[:OPTIONS]`. Options: size=64M, mode=1777, nr_inodes=1000, ro, exec, suid, dev. */
  | { tmpfs: string }
  /**
   * `LOWER[:LOWER…]:DST[:OPTIONS]`. The first of the LOWER directories is on top. Changes are discarded by default,
   * kept with upper=DIR,work=DIR, and refused with ro.
   */
  | { overlay: string }

const { ro, nosuid, nodev, noexec } = mountAttributes
const all = ro + nosuid + nodev + noexec

/** Option words, each with its effect on the mount attributes. A later word replaces an earlier one: `noexec`, then `exec`. */
const attributeWords: { [word: string]: (attributes: number) => number } = {
  ro: (now) => now | ro,
  rw: (now) => now & ~ro,
  nosuid: (now) => now | nosuid,
  suid: (now) => now & ~nosuid,
  nodev: (now) => now | nodev,
  dev: (now) => now & ~nodev,
  noexec: (now) => now | noexec,
  exec: (now) => now & ~noexec,
}

/** Options that have a value: a function that parses the value, and a description of valid values. */
const valueReaders: { [word: string]: [read: (value: string) => string | undefined, accepted: string] } = {
  size: [(value) => atLeastOne(parseSize(value)), 'a size such as 64M'],
  mode: [(value) => (/^[0-7]{3,4}$/.test(value) ? value : undefined), 'an octal mode such as 1777'],
  nr_inodes: [(value) => (/^[1-9]\d{0,9}$/.test(value) ? value : undefined), 'a count such as 1000'],
  upper: [(value) => value || undefined, 'a directory'],
  work: [(value) => value || undefined, 'an empty directory on the file system of upper'],
}

const kinds = {
  volume: {
    words: ['bind', 'rbind', 'idmap', ...Object.keys(attributeWords)],
    shape: 'SRC:DST[:ro,noexec,suid,dev,bind,idmap]',
  },
  tmpfs: {
    words: ['size', 'mode', 'nr_inodes', ...Object.keys(attributeWords)],
    shape: 'DST[:size=64M,mode=1777,exec]',
  },
  overlay: {
    words: ['upper', 'work', ...Object.keys(attributeWords)],
    shape: 'LOWER[:LOWER…]:DST[:ro], or with :upper=DIR,work=DIR',
  },
} as const
/** The options that make a mount: keys of an entry of `mounts`, and flags on the command line. */
export type MountKind = keyof typeof kinds

/** Returns the word of the option that makes a mount of this type. */
export function optionOfMount({ type }: Mount): MountKind {
  return type === 'bind' ? 'volume' : (type as MountKind)
}

/** Maximum number of layers: hutch passes the layers to overlayfs as one text, which must be shorter than 256 bytes. */
const maxLayers = 10

/** Parses the value of `mounts`. @throws OPTION_INVALID */
export function parseMounts(list: unknown, frontend: 'cli' | 'library'): Mount[] {
  if (!Array.isArray(list)) throw invalid('mounts', list, 'not a list', "a list such as [{ volume: 'data:/data:ro' }]")
  return list.map((entry: unknown, i) => {
    const [kind = '', word, more] = typeof entry === 'object' && entry !== null ? Object.entries(entry).flat() : []
    if (!Object.hasOwn(kinds, kind) || more !== undefined)
      throw invalid(`mounts[${i}]`, entry, 'not one mount', "{ volume: 'SRC:DST' }, { tmpfs } or { overlay }")
    return parseMount(kind as MountKind, word, specFrontends[frontend].nameMount(kind, i))
  })
}

function parseMount(kind: MountKind, word: unknown, origin: string): Mount {
  const refuse = (why: string) => invalid(origin, word, why, kinds[kind].shape)
  if (typeof word !== 'string' || word === '' || word.includes('\0')) throw refuse('not a string without NUL')
  const parts = splitPaths(word)
  // options never begin with "/", and a target always does, so this finds where the options begin
  const minParts = kind === 'tmpfs' ? 1 : 2
  const words = parts.length > minParts && !parts.at(-1)!.startsWith('/') ? parts.pop()! : ''
  if (parts.length < minParts || (kind !== 'overlay' && parts.length > minParts)) throw refuse('it has the wrong parts')
  if (parts.includes('')) throw refuse('a path is empty')
  const target = readTarget(parts.pop()!, refuse)
  const { attributes, absent, values, flags } = readOptions(kind, words, origin)
  const base = { target, flags: attributes, origin, typed: word }
  if (kind === 'volume') {
    const [recursive, idmap] = [!flags.includes('bind'), flags.includes('idmap')]
    return {
      ...base,
      type: 'bind',
      source: parts[0]!,
      data: [],
      recursive,
      ...(absent > 0 && { absent }),
      ...(idmap && { idmap }),
    }
  }
  if (kind === 'tmpfs')
    return {
      ...base,
      type: 'tmpfs',
      source: '',
      data: [
        `mode=${values.mode ?? '1777'}`,
        ...['size', 'nr_inodes'].flatMap((key) => (values[key] ? [`${key}=${values[key]}`] : [])),
      ],
    }
  const { upper = '', work = '' } = values
  if ((upper === '') !== (work === '')) throw refuse('upper and work go together')
  if (upper !== '' && attributes & ro) throw refuse('what is read-only needs no upper')
  if (parts.length > maxLayers) throw refuse(`these are more than ${maxLayers} layers`)
  const drops = upper === '' && !(attributes & ro)
  if (!drops && upper === '' && parts.length < 2) throw refuse('a read-only overlay needs two layers')
  const data = [
    ...parts.map((layer) => `lowerdir=${layer}`),
    ...(upper === '' ? [] : [`upperdir=${upper}`, `workdir=${work}`]),
    ...(drops ? ['volatile'] : []),
  ]
  return { ...base, type: 'overlay', source: '', data }
}

function readOptions(kind: MountKind, words: string, origin: string) {
  // a tmpfs is noexec by default, as with Docker; the option exec changes that
  let attributes: number = nosuid + nodev + (kind === 'tmpfs' ? noexec : 0)
  let absent = 0
  const values: { [key: string]: string } = {}
  const flags: string[] = []
  for (const word of words === '' ? [] : words.split(',')) {
    const at = word.indexOf('=')
    const key = at < 0 ? word : word.slice(0, at)
    if (!(kinds[kind].words as readonly string[]).includes(key)) {
      const near = nearest(key, [...kinds[kind].words])
      throw invalid(origin, word, 'there is no such option', near ?? `one of ${kinds[kind].words.join(', ')}`)
    }
    const [read, accepted] = valueReaders[key] ?? []
    if (!read !== at < 0)
      throw invalid(origin, word, read ? 'the value is missing' : 'it takes no value', read ? `${key}=…` : key)
    if (read) {
      const value = read(word.slice(at + 1))
      if (value === undefined) throw invalid(origin, word, 'its value is invalid', accepted!)
      values[key] = value
    } else if (attributeWords[key]) {
      attributes = attributeWords[key](attributes)
      // if an attribute is requested explicitly, also clear its opposite, which the source's mount may have
      absent = (absent | (all & ~attributeWords[key](all))) & ~attributes
    } else flags.push(key)
  }
  return { attributes, absent, values, flags }
}

/** Returns the option's value with its target replaced. */
export function withTarget(kind: MountKind, typed: string, target: string): string {
  const parts = splitPaths(typed)
  const hasOptions = parts.length > (kind === 'tmpfs' ? 1 : 2) && !parts.at(-1)!.startsWith('/')
  const options = hasOptions ? [parts.pop()!] : []
  return [...[...parts.slice(0, -1), target].map(escapePath), ...options].join(':')
}

/** Returns a path with colons and backslashes escaped, for use in an option's value. */
export function escapePath(path: string): string {
  return path.replace(/[\\:]/g, '\\$&')
}

/** Splits a value at its colons. `\:` is a colon in a path, and `\\` is a backslash. */
function splitPaths(word: string): string[] {
  if (!word.includes('\\')) return word.split(':')
  const parts = ['']
  for (const [token = ''] of word.matchAll(/\\[\\:]|[\s\S]/gu)) {
    if (token === ':') parts.push('')
    else parts.push(parts.pop() + (token.length === 2 && token.startsWith('\\') ? token.slice(1) : token))
  }
  return parts
}

/**
 * Returns the target without doubled slashes, trailing slashes and ".". Keeps "..", whose meaning depends on symbolic
 * links. The kernel ensures that the target stays inside the root directory.
 */
function readTarget(path: string, refuse: (why: string) => Error): string {
  if (!path.startsWith('/')) throw refuse('the target is not an absolute path')
  if (path.length > 3000) throw refuse('the target is too long')
  return `/${path
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`
}

function atLeastOne(size: number | 'max' | undefined): string | undefined {
  return typeof size === 'number' && size > 0 ? String(size) : undefined
}

function invalid(name: string, value: unknown, why: string, accepted: string) {
  return fail('OPTION_INVALID', { name, value, why, accepted })
}
