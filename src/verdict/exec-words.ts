// SPDX-License-Identifier: Apache-2.0
// Contains the words for exec-failure.ts: what an errno means, options under each front end's names, and commands that
// can be pasted. Pure.
import { escapeUnsafe, shellWord } from '../text/quote.ts'
import type { ExecFacts, Fix, ProgramReport } from './exec-failure.ts'
import { defaultInterpreter, type FileKind, interpreterFor, readFileKind } from './program-file.ts'

/** An explanation with a remedy: `fix` if a command or option helps, otherwise a hint. */
export interface ExecExplanation {
  why: string
  evidence?: [string, string][]
  fix?: Fix
  hint?: string
  interpreterMissing?: true
}

type Frontend = ExecFacts['frontend']

/** Quotes a word for a shell. Also escapes characters that could control a terminal. */
export function pasteable(word: string): string {
  if (escapeUnsafe(word) === word) return shellWord(word)
  const bytes = [...Buffer.from(word)].map((byte) =>
    byte < 32 || byte > 126 || byte === 39 || byte === 92
      ? `\\x${byte.toString(16).padStart(2, '0')}`
      : String.fromCharCode(byte),
  )
  return `$'${bytes.join('')}'`
}

/** Returns the value of --volume that mounts a host path read-only at the same path in the job. */
export function volumeWord(path: string): string {
  const escaped = path.replace(/[\\:]/g, '\\$&')
  return `${escaped}:${escaped}:ro`
}

/** Returns the directories that Landlock must allow so that a program can run: the program's own, and those of its libraries. */
export function executablePaths(program = '/usr'): string[] {
  const own = program.slice(0, program.lastIndexOf('/'))
  return [...(/^\/(usr|lib|lib64|bin)(\/|$)/.test(own) || own === '' ? [] : [own]), '/usr', '/lib', '/lib64']
}

/** Options that allow something, in each front end's names. An empty array if the front end has no such option. */
export const allow = {
  volume: (frontend: Frontend, path: string): string[] => {
    if (frontend === 'cli') return ['--volume', volumeWord(path)]
    if (frontend === 'bwrap') return ['--ro-bind', path, path]
    return frontend === 'library' ? [`mounts: [{ volume: ${JSON.stringify(volumeWord(path))} }]`] : []
  },
  variable: (frontend: Frontend, name: string, value: string): string[] => {
    if (frontend === 'cli') return ['--env', `${name}=${value}`]
    if (frontend === 'bwrap') return ['--setenv', name, value]
    return frontend === 'library' ? [`env: { ${name}: ${JSON.stringify(value)} }`] : []
  },
  directory: (frontend: Frontend, path: string): string[] => {
    if (frontend === 'cli') return ['--workdir', path]
    if (frontend === 'bwrap') return ['--chdir', path]
    return frontend === 'library' ? [`workdir: ${JSON.stringify(path)}`] : []
  },
  execution: (frontend: Frontend, program = '/usr'): string[] => {
    const paths = executablePaths(program)
    return frontend === 'library'
      ? [`landlock: ${JSON.stringify(paths.map((path) => `${path}:rx`))}`]
      : paths.flatMap((path) => ['--landlock', `${path}:rx`])
  },
  filter: (frontend: Frontend): string[] =>
    ({ cli: ['--seccomp', 'default'], library: ["seccomp: 'default'"], bwrap: [], tool: [] })[frontend],
  /** A user can pass on only capabilities that hutch itself has. */
  capabilities: {
    cli: 'allow the capabilities with --cap-add, if hutch has them; or ',
    bwrap: 'allow the capabilities with --cap-add, if hutch has them; or ',
    library: 'allow the capabilities with capAdd, if this process has them; or ',
    tool: '',
  },
  stack: (frontend: Frontend, size: number): string[] =>
    ({ library: [`ulimits: { stack: ${size} }`], cli: ['--ulimit', `stack=${size}`], bwrap: [], tool: [] })[frontend],
}

/** Returns words for a kind of file, for messages. */
export function describeFileKind(kind: FileKind): string {
  if (kind.kind === 'elf')
    return `an ELF file for ${kind.machine}${kind.bits === 32 && !kind.machine.includes('32') ? ' (32 bit)' : ''}${kind.bigEndian ? ', big-endian' : ''}`
  return kind.kind === 'foreign' ? kind.name : `a ${kind.kind} file`
}

/**
 * Returns a command that runs a script by its interpreter, found in its first line or by the file name's ending.
 * Returns the hint if neither names one.
 */
export function scriptFix(
  report: ProgramReport,
  hint: string,
  fallback?: string,
): Pick<ExecExplanation, 'fix' | 'hint'> {
  const kind = readFileKind(report.head)
  const named = kind.kind === 'script' ? defaultInterpreter(/[^/]*$/.exec(kind.interpreter)![0]) : undefined
  const through = interpreterFor(report.path) ?? named ?? fallback
  if (!through) return { hint }
  return { fix: { instead: [...through.split(' '), report.path], reason: `${hint}; or pass it to an interpreter` } }
}

/** What each errno of exec means, and a hint. */
const words: { [errno: string]: readonly [why: string, hint: string] } = {
  ENOENT: ['no such program', 'give its path, or set PATH'],
  EACCES: [
    'it cannot be executed: the file, a directory above it, its mount, or a security module forbids it',
    'check modes and mount: namei -l and findmnt -T of its path; and the log of a security module: journalctl -k -g denied',
  ],
  EPERM: [
    'a security module, a seccomp filter around hutch, or capabilities of the file that the job may not have forbid it',
    'check the capabilities of the file: getcap of its path; and the log: journalctl -k -g denied',
  ],
  ENOSYS: ['a seccomp filter refuses execve', 'allow execve in the active filter'],
  ENOEXEC: [
    'the kernel does not know its format',
    'start a script with a line such as #!/bin/sh; a program may be for another machine, or truncated: check it with file(1)',
  ],
  ELOOP: [
    'too many symbolic links, or scripts of scripts, lead to it',
    'check where each leads: run namei with its path',
  ],
  ENOTDIR: ['a part of its path is a file, not a directory', 'give another path'],
  ENAMETOOLONG: [
    'its path is longer than 4095 bytes, or a part of it than 255',
    'give a shorter path, such as one by a symbolic link',
  ],
  E2BIG: ['its arguments and environment are too long', 'pass them by stdin or in a file'],
  ETXTBSY: ['it is open for writing', 'close it first: fuser -v with its path lists the processes that have it open'],
  EINVAL: [
    'it is an ELF file that the kernel does not accept: it names several loaders, or is damaged',
    'copy or build it again',
  ],
  ELIBBAD: ['its loader is damaged or for another machine', 'install the C library again'],
  EMFILE: [
    'the limit of open files of its process is reached (RLIMIT_NOFILE)',
    'raise the limit of open files: ulimit -n 1024',
  ],
  ENFILE: ['the whole system has no more open files', 'raise fs.file-max as root: sysctl -w fs.file-max=1000000'],
  ENOMEM: ['there is not enough memory for a new program: a limit of memory or of address space', 'raise that limit'],
  EAGAIN: ['its user has more processes than RLIMIT_NPROC allows', 'raise the limit of processes: ulimit -u unlimited'],
  EIO: ['its disk or network cannot be read', 'check the kernel log: dmesg | tail; and check the file system'],
  ESTALE: ['its network file system has lost it', 'mount that file system again'],
  EISDIR: ['its loader is a directory', 'install the C library again'],
  EFAULT: ['it is damaged: its loader or segments are outside the address space', 'copy or build it again'],
  EBADMSG: ['its contents do not match their checksum (fs-verity, dm-verity)', 'copy it again'],
  ENODEV: ['its file system cannot execute programs', 'copy it to another file system'],
  EOVERFLOW: ['too large for this kernel', 'build it smaller'],
}

/** Explains an errno from its meaning alone, if examining the file found no reason. */
export function byErrno({ errno, looks, frontend, ownRoot }: ExecFacts): ExecExplanation {
  const [why, hint] = words[errno] ?? ['the kernel does not execute it', 'see execve(2) for what this error means']
  const searched = errno === 'ENOENT' && looks.length === 0
  if (!searched) return { why, hint }
  return { why, hint: searchHint(frontend, ownRoot) }
}

/** Returns the hint for a command that was not found in PATH. */
export function searchHint(frontend: Frontend, ownRoot: boolean): string {
  const name = { cli: 'with --env', library: 'in env', bwrap: 'with --setenv', tool: 'in the environment' }[frontend]
  return ownRoot ? `give a path that exists inside, or set PATH ${name}` : `give its path, or set PATH ${name}`
}

/** The errnos for which this file has words. */
export const execErrnos: readonly string[] = Object.keys(words)
