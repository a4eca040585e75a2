// SPDX-License-Identifier: Apache-2.0
// Lists the operations on mounts and the root directory, as rows of the table of operations (see row.ts). Pure.
import { fail, type HutchError, quote } from '../errors/errors.ts'
import { asRoot, oneOf } from '../errors/remedy-text.ts'
import { shellWord } from '../text/quote.ts'
import { mountAttributes, mountFlags } from './mount-flags.ts'
import { inRoot } from './root-files.ts'
import { type ErrnoWords, type RefusedOp, row } from './row.ts'

export const mountOps = {
  mount: row({
    code: 35,
    call: 'mount',
    fields: { source: 'string', target: 'string', type: 'string', flags: 'u64', data: 'string' },
    what: 'mount inside the new mount namespace',
    explain: explainMount,
    remedy: (_, errno) => (errno === 'EPERM' ? oneOf([asRoot()], 'CAP_SYS_ADMIN is missing here') : undefined),
    userNamespace: { errnos: ['EPERM', 'EACCES'], what: 'use' },
  }),
  openRoot: row({
    code: 41,
    call: 'open_tree',
    fields: { source: 'string', attributes: 'u64', makes: 'u32', covers: 'u32' },
    what: (op) => `use ${quote(op.source)} as the root`,
    explain: (op) => ({
      words: `copy the mounts of ${op.source} to be the root${attributeList(op.attributes)}`,
      shell: `mount --rbind ${shellWord(op.source)} $ROOT${bindOptions(op.attributes, '$ROOT')}`,
    }),
    mount: { source: ({ source }) => quote(source) },
  }),
  emptyRoot: row({
    code: 96,
    call: 'fsmount',
    fields: {},
    what: 'make an empty root',
    explain: () => ({
      words: 'begin with an empty root',
      shell: 'mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs $ROOT',
    }),
    mount: {},
  }),
  setPropagation: row({
    code: 48,
    call: 'mount_setattr',
    fields: { type: 'u32', recursive: 'u32' },
    explain: ({ type, recursive }) => {
      const name = Object.entries(mountFlags).find(([, flag]) => flag === type)?.[0]
      return { words: `make the next mounts ${name}${recursive ? ', with those below them' : ''}`, shell: '' }
    },
  }),
  holdTrees: row({
    code: 154,
    call: 'open_tree',
    fields: { sources: 'strings', how: 'numbers' },
    what: (op) => `copy ${op.sources.map(quote).join(', ')}`,
    explain: (op) => ({
      words: `copy ${op.sources.join(', ')}, so that later mounts there are also those of the host`,
      shell: '',
    }),
    mount: { source: ({ sources }) => (sources.length === 1 ? quote(sources[0]) : 'a source') },
  }),
  attachTree: row({
    code: 42,
    call: 'move_mount',
    fields: {
      source: 'string',
      target: 'string',
      attributes: 'u64',
      absent: 'u64',
      recursive: 'u32',
      changes: 'numbers',
      links: 'u32',
    },
    what: (op) => `mount ${quote(op.source)} at ${quote(op.target)}`,
    explain: (op) => ({
      words: `put ${op.source} at ${op.target}${attributeList(op.attributes)}${changeList(op.changes)}`,
      shell: `mount --${op.recursive ? 'rbind' : 'bind'} ${shellWord(op.source)} ${inRoot(op.target)}${bindOptions(op.attributes, inRoot(op.target))}`,
    }),
    mount: { source: ({ source }) => quote(source), target: ({ target }) => target },
  }),
  attachNew: row({
    code: 43,
    call: 'fsmount',
    fields: {
      type: 'string',
      options: 'strings',
      target: 'string',
      attributes: 'u64',
      links: 'u32',
      source: 'string',
      beneath: 'u32',
    },
    what: (op) => `mount a ${op.type} at ${quote(op.target)}`,
    explain: (op) => ({
      words: `put a ${op.type} of its own at ${op.target}${attributeList(op.attributes, op.options)}`,
      shell: `mount -t ${op.type} -o ${[...op.options, ...attributeNames(op.attributes)].join(',')} ${op.type} ${inRoot(op.target)}`,
    }),
    mount: { source: ({ type }) => type, target: ({ target }) => target },
  }),
  attachOverlay: row({
    code: 44,
    call: 'fsmount',
    fields: { lower: 'strings', upper: 'string', work: 'string', target: 'string', attributes: 'u64', drops: 'u32' },
    what: (op) => `mount ${op.lower.map(quote).join(', ')} as an overlay at ${quote(op.target)}`,
    explain: (op) => ({
      words: `put ${op.lower.join(' over ')} at ${op.target}, ${op.drops ? 'changes are discarded' : op.upper ? `changes go to ${op.upper}` : 'read-only'}`,
      shell: `mount -t overlay -o lowerdir=${op.lower.map(shellWord).join(':')}${op.upper ? `,upperdir=${shellWord(op.upper)},workdir=${shellWord(op.work)}` : op.drops ? ',upperdir=$TMPFS/upper,workdir=$TMPFS/work' : ''} overlay ${inRoot(op.target)}`,
    }),
    mount: {
      source: ({ lower }) => (lower.length === 1 ? quote(lower[0]) : 'a layer'),
      target: ({ target }) => target,
    },
  }),
  attachText: row({
    code: 113,
    call: 'move_mount',
    fields: { target: 'string', text: 'string', own: 'u32', required: 'u32' },
    what: (op) => `put a text at ${quote(op.target)}`,
    explain: (op) => ({
      words: `put its own read-only text at ${op.target}, if the path exists`,
      shell: `printf '%s' ${shellQuoted(op.text)} > $FILE; mount --bind $FILE $ROOT${op.target}; mount -o remount,bind,ro $ROOT${op.target}`,
    }),
    mount: { target: ({ target }) => target },
  }),
  sendMapped: row({
    code: 25,
    call: 'mount_setattr',
    fields: {
      source: 'string',
      attributes: 'u64',
      absent: 'u64',
      recursive: 'u32',
      changes: 'numbers',
      users: 'strings',
      groups: 'strings',
      whole: 'u32',
      namespace: 'string',
    },
    what: (op) => `map the ids of ${quote(op.source)}`,
    explain: (op) => ({
      words: `map the ids of ${op.source} by the job's user namespace, and send the mount to the child${attributeList(op.attributes)}`,
      shell: `mount --${op.recursive ? 'rbind' : 'bind'} -o X-mount.idmap=/proc/$PID/ns/user ${shellWord(op.source)} …`,
    }),
    refused: ({ source }, refusal) =>
      refusal.partName === 'attributes' && refusal.mappedBySandbox ? refusedMap(source, refusal) : undefined,
    mount: { source: ({ source }) => quote(source), target: ({ source }) => source, words: mappingWords },
  }),
  attachSent: row({
    code: 118,
    call: 'move_mount',
    fields: { source: 'string', target: 'string', links: 'u32' },
    what: (op) => `mount ${quote(op.source)} at ${quote(op.target)}`,
    explain: (op) => ({ words: `put ${op.source}, whose ids were mapped, at ${op.target}`, shell: '' }),
    mount: { source: ({ source }) => quote(source), target: ({ target }) => target },
  }),
  attachGroups: row({
    code: 151,
    call: 'move_mount',
    fields: { target: 'string', names: 'strings', sources: 'strings', attributes: 'u64', required: 'u32' },
    what: (op) => `mount the job's groups at ${quote(op.target)}`,
    explain: explainGroups,
    mount: { target: ({ target }) => target },
  }),
  attachTerminal: row({
    code: 141,
    call: 'move_mount',
    fields: { target: 'string', attributes: 'u64' },
    what: 'attach the terminal as /dev/console',
    explain: (op) => ({
      words: `attach the terminal, if a stream is one, as ${op.target}`,
      shell: `mount --bind "$(tty)" $ROOT/dev/${op.target}`,
    }),
  }),
  changeMount: row({
    code: 152,
    call: 'mount_setattr',
    fields: { target: 'string', changes: 'numbers' },
    what: (op) => `change the mount at ${quote(op.target)}`,
    explain: (op) => ({
      words: `change the mount at ${op.target}${changeList(op.changes)}`,
      shell: `mount -o remount,bind,${attributeNames(op.changes[0] ?? 0).join(',')} ${inRoot(op.target)}`,
    }),
    mount: { target: ({ target }) => target },
  }),
  makeReadOnly: row({
    code: 101,
    call: 'mount_setattr',
    fields: { path: 'string' },
    what: (op) => `make ${quote(op.path)} read-only`,
    explain: (op) => ({
      words: `make the mount at ${op.path} read-only`,
      shell: `mount -o remount,bind,ro $ROOT${op.path}`,
    }),
    mount: { target: ({ path }) => path },
  }),
  coverPath: row({
    code: 46,
    call: 'move_mount',
    fields: { path: 'string', readOnly: 'u32' },
    what: (op) => `cover ${quote(op.path)}`,
    explain: (op) => ({
      words: op.readOnly ? `make ${op.path} read-only` : `hide ${op.path}`,
      shell: op.readOnly
        ? `mount --bind ${inRoot(op.path)} ${inRoot(op.path)}; mount -o remount,bind,ro ${inRoot(op.path)}`
        : `mount --bind /dev/null ${inRoot(op.path)}`,
    }),
    mount: { target: ({ path }) => path },
  }),
  pivotRoot: row({
    code: 47,
    call: 'pivot_root',
    fields: { stays: 'u32' },
    what: 'change to the new root',
    explain: () => ({
      words: "make it the root, and detach the host's",
      shell: 'cd $ROOT; pivot_root . .; umount -l .',
    }),
    mount: {},
  }),
  changeRoot: row({
    code: 82,
    call: 'chroot',
    fields: { path: 'string' },
    what: 'change the root directory',
    explain: (op) => ({ words: `make ${op.path} the root directory`, shell: `chroot ${op.path} …` }),
    remedy: ({ path }) => `give an existing directory: ${path}`,
  }),
  holdDirectories: row({
    code: 83,
    call: 'openat',
    fields: { root: 'string', directory: 'string' },
    what: 'open a directory',
    explain: (op) => ({ words: `open ${[op.root, op.directory].filter(Boolean).join(' and ')}`, shell: '' }),
    remedy: ({ root, directory }) => `give existing directories: ${[root, directory].filter(Boolean).join(', ')}`,
  }),
  enterDirectories: row({
    code: 84,
    call: 'chroot',
    fields: { inside: 'string' },
    what: 'enter a directory',
    explain: (op) => ({
      words: `enter the directories opened before${op.inside ? `, then ${op.inside}` : ''}`,
      shell: op.inside ? `cd ${op.inside}` : '',
    }),
    remedy: () => 'give an existing directory that can be entered',
  }),
}

function explainMount(op: { source: string; target: string; type: string; flags: number }): {
  words: string
  shell: string
} {
  if (!op.type)
    return {
      words: `let no mount below ${op.target} reach the host`,
      shell: `mount --make-r${op.flags & mountFlags.private ? 'private' : 'slave'} ${shellWord(op.target)}`,
    }
  const options = (['nosuid', 'nodev', 'noexec'] as const).filter((name) => op.flags & mountFlags[name]).join(',')
  return {
    words: `mount a ${op.type} of its own on ${op.target}`,
    shell: `mount -t ${op.type}${options ? ` -o ${options}` : ''} ${shellWord(op.source)} ${shellWord(op.target)}`,
  }
}

function attributeNames(attributes: number): string[] {
  return Object.entries(mountAttributes).flatMap(([name, bit]) => (attributes & bit ? [name] : []))
}

function attributeList(attributes: number, options: readonly string[] = []): string {
  const names = [...options, ...attributeNames(attributes)]
  return names.length > 0 ? ` (${names.join(', ')})` : ''
}

/** Returns the changes of a mount's flags in words, see changesOf in mounts/mount-ops.ts. */
function changeList(changes: readonly number[]): string {
  const words = (sets = 0, clears = 0) => [
    ...attributeNames(sets),
    ...attributeNames(clears).map((name) => `no ${name}`),
  ]
  const [top, whole] = [words(changes[0], changes[1]), words(changes[2], changes[3])]
  return top.length + whole.length > 0 ? ` (${[...top, ...whole.map((name) => `${name} below`)].join(', ')})` : ''
}

function bindOptions(attributes: number, path: string): string {
  const names = attributeNames(attributes)
  return names.length > 0 ? `; mount -o remount,bind,${names.join(',')} ${path}` : ''
}

function explainGroups({
  target,
  names,
  sources,
}: {
  target: string
  names: readonly string[]
  sources: readonly string[]
}) {
  const bind = (source: string, at: string) => `mount --bind -o ro,nosuid,nodev,noexec ${shellWord(source)} $ROOT${at}`
  const line = (source: string, at: string) =>
    source.startsWith('/') ? bind(source, at) : `ln -s ${shellWord(source)} $ROOT${at}`
  const first = names.length === 0 ? [] : [`mount -t tmpfs -o nosuid,nodev,noexec,mode=0755 tmpfs $ROOT${target}`]
  return {
    words: `show ${sources.filter((source) => source.startsWith('/')).join(', ')} at ${target} (ro)`,
    shell: [...first, ...sources.map((source, i) => line(source, names[i] ? `${target}/${names[i]}` : target))].join(
      '; ',
    ),
  }
}

function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** Explains why a sandbox started by root cannot write a volume: the file system does not support mapping the ids of its files. */
function refusedMap(source: string, { errno, origin, fileSystem }: RefusedOp): HutchError {
  const found = fileSystem ? `its file system, ${fileSystem},` : 'its file system, or one that is mounted below it,'
  return fail('MOUNT_REFUSED', {
    what: `let the sandbox write ${quote(source)}`,
    why: `${found} cannot map the ids of its files`,
    errno,
    path: source,
    origin,
    remedy: `add :ro to ${origin} if the command only reads; or let everybody write: chmod o+w ${shellWord(source)}; or move it to ext4, xfs or btrfs`,
  })
}

/**
 * Explains why the kernel refused to map a mount's ids. Support for this (idmapped mounts) was added to one file system
 * after another.
 */
function mappingWords({ errno, fileSystem, origin, partName }: RefusedOp): ErrnoWords | undefined {
  if (partName !== 'attributes') return undefined
  if (errno === 'EINVAL')
    return [
      `the ids of its file system${fileSystem ? `, ${fileSystem},` : ''} cannot be mapped on this kernel, or are mapped already`,
      `leave out idmap in ${origin}, or keep the files on ext4, xfs or btrfs (tmpfs since 6.3); with bind, mounts below it do not matter`,
    ]
  if (errno === 'EPERM')
    return [
      'only the owner of the file system can map its ids',
      oneOf([asRoot('run as root in the initial user namespace'), 'leave out idmap'], ''),
    ]
  return undefined
}
