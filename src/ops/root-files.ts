// SPDX-License-Identifier: Apache-2.0
// Describes the operations that create directories, links, files and device files in the job's root. Pure.
import { quote } from '../errors/errors.ts'
import { shellWord } from '../text/quote.ts'
import { row } from './row.ts'

export const rootFileOps = {
  makeMissing: row({
    code: 97,
    call: 'umask',
    fields: { parents: 'u32', directory: 'u32', file: 'u32' },
    explain: (op) => ({
      words: `create what is missing on the path: directories as ${octal(op.parents)}, at its end ${octal(op.directory)} or a file as ${octal(op.file)}`,
      shell: '',
    }),
  }),
  makeDirectory: row({
    code: 98,
    call: 'mkdirat',
    fields: { path: 'string' },
    what: (op) => `make the directory ${quote(op.path)}`,
    explain: (op) => ({ words: `make the directory ${op.path}`, shell: `mkdir -p $ROOT${op.path}` }),
    mount: { target: ({ path }) => path },
  }),
  makeWorkingDirectory: row({
    code: 176,
    call: 'mkdirat',
    fields: { path: 'string' },
    what: 'create the working directory',
    explain: (op) => ({
      words: `create the directory ${op.path} if it is missing`,
      shell: `mkdir -p ${inRoot(op.path)}`,
    }),
  }),
  makeLink: row({
    code: 45,
    call: 'symlinkat',
    fields: { name: 'string', to: 'string', keeps: 'u32' },
    what: (op) => `make the link ${quote(op.name)}`,
    explain: (op) => ({ words: `link ${op.name} to ${op.to}`, shell: `ln -s ${shellWord(op.to)} ${inRoot(op.name)}` }),
    mount: { target: ({ name }) => name },
  }),
  writeData: row({
    code: 99,
    call: 'openat2',
    fields: { descriptor: 'u32', path: 'string', mode: 'u32', attached: 'u32', attributes: 'u64' },
    what: (op) => `write the data of descriptor ${op.descriptor} to ${quote(op.path)}`,
    explain: (op) => ({
      words: `copy from descriptor ${op.descriptor} to ${op.attached ? 'a file that is mounted at' : ''} ${op.path}`,
      shell: `install -m ${octal(op.mode)} /dev/fd/${op.descriptor} $ROOT${op.path}`,
    }),
    mount: { source: ({ descriptor }) => `descriptor ${descriptor}`, target: ({ path }) => path },
  }),
  changeMode: row({
    code: 100,
    call: 'chmod',
    fields: { path: 'string', mode: 'u32' },
    what: (op) => `change the mode of ${quote(op.path)}`,
    explain: (op) => ({ words: `change the mode of ${op.path}`, shell: `chmod ${octal(op.mode)} $ROOT${op.path}` }),
    mount: { target: ({ path }) => path },
  }),
  makeNode: row({
    code: 153,
    call: 'mknodat',
    fields: { path: 'string', mode: 'u32', major: 'u32', minor: 'u32', uid: 'u32', gid: 'u32', binds: 'u32' },
    what: (op) => `create the device file ${quote(op.path)}`,
    explain: (op) => ({
      words: `${op.binds ? 'mount' : 'create'} the device ${op.major}:${op.minor} at ${op.path}`,
      shell: op.binds
        ? `mount --bind ${shellWord(op.path)} ${inRoot(op.path)}`
        : `mknod -m ${octal(op.mode & 0o7777)} ${inRoot(op.path)} ${nodeLetter(op.mode)} ${op.major} ${op.minor}`,
    }),
    mount: { source: ({ path }) => quote(path), target: ({ path }) => path },
  }),
}

/** Returns a path in the job's root as a word of a shell. */
export function inRoot(path: string): string {
  return `$ROOT${shellWord(path)}`
}

function nodeLetter(mode: number): string {
  return { 4802: 'c', 14406: 'b' }[mode & 0o170000] ?? 'p'
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`
}
