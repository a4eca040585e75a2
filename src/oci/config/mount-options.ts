// SPDX-License-Identifier: Apache-2.0
// The options of a mount in config.json as one table: what each word does to the mount. Called by mounts.ts; pure.
import { accessTimes, mountAttributes } from '../../ops/mount-flags.ts'
import { propagationWords } from './linux-table.ts'

type Propagation = (typeof propagationWords)[number]

/** What a word of the options does. */
interface Effect {
  /** Attributes of mount_setattr(2) to set and to clear. */
  sets?: number
  clears?: number
  /** True if the word also applies to the mounts below. */
  recursive?: true
  propagation?: Propagation
  /** How the mount is made. */
  bind?: 'bind' | 'rbind'
  remounts?: true
  copiesUp?: true
  idmap?: 'idmap' | 'ridmap'
  /** True if the file system gets the word: it is a flag of the file system, not of the mount. */
  isData?: true
}

const { ro, nosuid, nodev, noexec, nodiratime, nosymfollow, noatime, strictatime } = mountAttributes

/** Pairs of words: the first sets an attribute, the second clears it. With the prefix r they also apply to the mounts below. */
const attributePairs: readonly (readonly [sets: string, clears: string, attribute: number])[] = [
  ['ro', 'rw', ro],
  ['nosuid', 'suid', nosuid],
  ['nodev', 'dev', nodev],
  ['noexec', 'exec', noexec],
  ['nodiratime', 'diratime', nodiratime],
  ['nosymfollow', 'symfollow', nosymfollow],
]

/** Words for access times. Without noatime and strictatime, the kernel uses relatime. */
const atimeWords: { readonly [name: string]: Effect } = {
  noatime: { sets: noatime, clears: accessTimes },
  strictatime: { sets: strictatime, clears: accessTimes },
  relatime: { clears: accessTimes },
  atime: { clears: accessTimes },
  nostrictatime: { clears: accessTimes },
  // relatime is the default, and nothing else is requested in its place
  norelatime: {},
}

const withBelow = (words: { readonly [name: string]: Effect }) => ({
  ...words,
  ...Object.fromEntries(Object.entries(words).map(([name, effect]) => [`r${name}`, { ...effect, recursive: true }])),
})

/** All words that an option can be. Other words belong to the file system. */
export const mountWords: { readonly [name: string]: Effect } = {
  ...withBelow(
    Object.fromEntries(
      attributePairs.flatMap(([sets, clears, attribute]) => [
        [sets, { sets: attribute }],
        [clears, { clears: attribute }],
      ]),
    ),
  ),
  ...withBelow(atimeWords),
  ...Object.fromEntries(propagationWords.map((propagation) => [propagation, { propagation }])),
  bind: { bind: 'bind' },
  rbind: { bind: 'rbind' },
  remount: { remounts: true },
  tmpcopyup: { copiesUp: true },
  idmap: { idmap: 'idmap' },
  ridmap: { idmap: 'ridmap' },
  sync: { isData: true },
  async: { isData: true },
  dirsync: { isData: true },
  lazytime: { isData: true },
  nolazytime: { isData: true },
  mand: { isData: true },
  nomand: { isData: true },
  // flags of mount(2) without an effect on Linux 5.10 and newer
  acl: {},
  noacl: {},
  defaults: {},
  silent: {},
  loud: {},
  iversion: {},
  noiversion: {},
}

/** The options of a mount, combined. */
interface MountOptions {
  sets: number
  clears: number
  below?: { sets: number; clears: number }
  propagation?: Propagation
  bind?: 'bind' | 'rbind'
  remounts?: true
  copiesUp?: true
  idmap?: 'idmap' | 'ridmap'
  data: string[]
  /** Words that no table has; they are also in `data`. */
  unknown: string[]
}

/** Combines the options of a mount. A later word replaces an earlier one with the opposite effect. */
export function combineOptions(words: readonly string[]): MountOptions {
  const result: MountOptions = { sets: 0, clears: 0, data: [], unknown: [] }
  for (const word of words.flatMap(splitOption)) {
    const effect = Object.hasOwn(mountWords, word) ? mountWords[word]! : undefined
    if (!effect) {
      // as mount(2): quotes protect commas in a value such as the context of SELinux
      result.data.push(word.replace(/^([\w.-]+=)"(.*)"$/s, '$1$2'))
      result.unknown.push(word)
      continue
    }
    const { sets = 0, clears = 0, recursive, isData, ...rest } = effect
    Object.assign(result, rest)
    if (isData) result.data.push(word)
    if (recursive) result.below = change(result.below ?? { sets: 0, clears: 0 }, sets, clears)
    else Object.assign(result, change(result, sets, clears))
  }
  return result
}

/** Splits an option at commas that are not in quotation marks. */
function splitOption(option: string): string[] {
  if (/^[^,"]+$/.test(option)) return [option]
  return option.match(/(?:[^,"]|"[^"]*"?)+/g) ?? []
}

function change(before: { sets: number; clears: number }, sets: number, clears: number) {
  return { sets: (before.sets & ~clears) | sets, clears: (before.clears & ~sets) | clears }
}
