// SPDX-License-Identifier: Apache-2.0
// Explains why a program could not be executed, from exec's errno and the program's file: words, evidence and a remedy. Pure. Called by
// run/exec-facts.ts, which gathers the facts after exec has failed, and by compile/prepare.ts, which knows only the errno.
import { quote } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import type { OptionKey, Remedy } from './cause.ts'
import { findings } from './exec-findings.ts'
import { allow, byErrno, type ExecExplanation, executablePaths, pasteable, volumeWord } from './exec-words.ts'

/** What hutch-init found out about a program, with the command's rights and inside its root. */
export interface ProgramReport {
  path: string
  /** Destination of `path` if it is a symbolic link; otherwise ''. */
  target: string
  /** Interpreter of a script, or loader of an ELF file; otherwise ''. */
  loader: string
  /** Errno of resolving the path, and the length of the path up to the part that failed. */
  error?: string
  barrier: number
  mode: number
  owner: number
  user: number
  noexec: boolean
  access?: string
  openError?: string
  loaderError?: string
  head: Buffer
}

/** A program that exists on the host, and the options that make it visible inside. */
export interface HostProgram {
  path: string
  /** Paths to mount at the same place as on the host. */
  volumes: readonly string[]
  /** A search path that contains the program; absent if the command's own search path does. */
  searchPath?: string
  /** Directory that a relative path starts from. */
  directory?: string
}

/** Facts that explain a failed exec. */
export interface ExecFacts {
  /** The command as typed. */
  command: string
  errno: string
  /** The program, followed by its interpreters; empty if hutch-init could not examine them. */
  looks: readonly ProgramReport[]
  searchPath: string
  frontend: 'cli' | 'library' | 'bwrap' | 'tool'
  ownRoot: boolean
  filtered: boolean
  landlock: boolean
  /** Architecture, as `process.arch` names it. */
  arch: string
  /** Bytes of all arguments and variables together, and bytes of the longest. */
  argumentBytes?: { total: number; longest: number }
  /** Returns the host's path of a path inside; undefined if the host has none. */
  outside: (path: string) => string | undefined
  onHost?: HostProgram | undefined
  /** Capabilities that the file has in effect, and that are not in the job's bounding set: exec is then refused (capabilities(7)). */
  deniedCapabilities?: readonly string[]
  /** Processes that have the program open for writing. */
  writers?: readonly { pid: number; name: string }[]
}

/** A remedy as data: a shell command line, options to add, or another command to run. */
export interface Fix {
  shell?: string
  add?: readonly string[]
  instead?: readonly string[]
  /** The options in `add`, under their names in the library. */
  options?: readonly { name: OptionKey; value: string }[]
  reason: string
}

/** The explanation of a failed exec. */
export interface ExecFailure {
  headline: string
  evidence: [label: string, text: string][]
  remedy: string
  /** The reason alone, which is the last part of the headline. */
  why: string
  /** The remedies as data. */
  remedies: Remedy[]
  /** True if the program exists on the host but not inside. */
  notInside?: true
  /** True if the program exists but its interpreter does not. */
  interpreterMissing?: true
}

/** Explains a failed exec from its facts. */
export function explainExecFailure(facts: ExecFacts): ExecFailure {
  const { command, errno } = facts
  const inside = notInside(facts)
  if (inside) return inside
  const found = find(facts) ?? refusedExec(facts) ?? tooLong(facts) ?? byErrno(facts)
  const why = `${found.why} (${errno})`
  return {
    headline: `cannot run ${quote(command)}: ${why}`,
    why,
    evidence: [...pathLines(facts), ...(found.evidence ?? [])],
    remedy: remedyOf(found, facts.frontend),
    remedies: remediesOf(found),
    ...(found.interpreterMissing && { interpreterMissing: true }),
  }
}

function find(facts: ExecFacts): ExecExplanation | undefined {
  for (const [i, report] of facts.looks.entries()) {
    const subject = i === 0 ? 'it' : `its interpreter ${quote(report.path)}`
    for (const finder of findings[facts.errno] ?? []) {
      const found = finder(facts, report, subject)
      if (found) return found
    }
  }
  return undefined
}

function remedyOf({ fix, hint }: ExecExplanation, frontend: ExecFacts['frontend']): string {
  if (!fix) return hint ?? 'run it by hand to see the same error'
  const { shell, add, instead, reason } = fix
  if (add && frontend === 'library') return `${reason}: add ${add.join(', ')}`
  const command = shell ?? (add ? add.map(pasteable).join(' ') : instead!.map(pasteable).join(' '))
  return `${reason}: ${add ? 'add ' : ''}${command}`
}

/** Returns the remedies as data. A shell command line becomes one argument of `sh -c`. */
function remediesOf({ fix, hint }: ExecExplanation): Remedy[] {
  if (!fix) return [{ reason: hint ?? 'run it by hand to see the same error' }]
  const { shell, instead, options, reason } = fix
  if (options) return options.map((option) => ({ option, reason }))
  return [{ argv: shell ? ['sh', '-c', shell] : [...(instead ?? fix.add ?? [])], reason }]
}

/** Returns a line with the resolved path, if a search in PATH or a link led to a path other than the typed one. */
function pathLines({ command, looks }: ExecFacts): [string, string][] {
  const report = looks[0]
  if (!report || report.error === 'ENOENT') return []
  return [
    ...(report.path === command ? [] : [['program', quote(report.path)] as [string, string]]),
    ...(report.target === '' ? [] : [['leads to', quote(report.target)] as [string, string]]),
  ]
}

function notInside(facts: ExecFacts): ExecFailure | undefined {
  const { onHost, ownRoot, errno, command, looks } = facts
  if (!onHost || !ownRoot || errno !== 'ENOENT') return undefined
  const interpreter = looks.findLast((report) => report.loaderError === 'ENOENT')?.loader
  const add = [
    ...onHost.volumes.flatMap((path) => allow.volume(facts.frontend, path)),
    ...(onHost.searchPath ? allow.variable(facts.frontend, 'PATH', onHost.searchPath) : []),
    ...(onHost.directory ? allow.directory(facts.frontend, onHost.directory) : []),
  ]
  const options: Fix['options'] = [
    ...onHost.volumes.map((path) => ({ name: 'mounts.volume' as const, value: volumeWord(path) })),
    ...(onHost.searchPath ? [{ name: 'env' as const, value: `PATH=${onHost.searchPath}` }] : []),
    ...(onHost.directory ? [{ name: 'workdir' as const, value: onHost.directory }] : []),
  ]
  const fix: Fix | undefined = add.length > 0 ? { add, options, reason: 'bring it in' } : undefined
  const found: ExecExplanation = { why: '', ...(fix ? { fix } : { hint: 'install it in the root' }) }
  const where = `at ${quote(onHost.path)} on the host, but not inside`
  return {
    headline: interpreter
      ? `cannot run ${quote(command)}: its interpreter is ${where}`
      : `${quote(command)} is ${where}`,
    why: `${interpreter ? 'its interpreter' : 'it'} is ${where}`,
    evidence: command.includes('/') || interpreter ? [] : [['looked in', facts.searchPath]],
    remedy: remedyOf(found, facts.frontend),
    remedies: remediesOf(found),
    ...(interpreter ? { interpreterMissing: true as const } : { notInside: true as const }),
  }
}

/** Explains a file that could be executed, but that a restriction of this process refuses. */
function refusedExec(facts: ExecFacts): ExecExplanation | undefined {
  const { errno, landlock, filtered, looks, deniedCapabilities = [] } = facts
  if (deniedCapabilities.length > 0)
    return {
      why: `its file has capabilities that the job may not have: ${deniedCapabilities.join(', ')}`,
      evidence: [['bounding set', `lacks ${deniedCapabilities.join(', ')} of the file's capabilities`]],
      hint: `${allow.capabilities[facts.frontend]}use a copy of the file, which has no capabilities`,
    }
  if (landlock && errno === 'EACCES')
    return {
      why: 'Landlock rules apply, and none allows executing it',
      fix: {
        add: allow.execution(facts.frontend, looks[0]?.path),
        options: executablePaths(looks[0]?.path).map((path) => ({ name: 'landlock' as const, value: `${path}:rx` })),
        reason: 'allow the program, its interpreter and libraries',
      },
    }
  if (!filtered || !['EPERM', 'EACCES', 'ENOSYS'].includes(errno)) return undefined
  const add = allow.filter(facts.frontend)
  return {
    why: 'the active seccomp profile refuses execve, or its file has capabilities that the job may not have',
    ...(add.length > 0
      ? {
          fix: {
            add,
            options: [{ name: 'seccomp' as const, value: 'default' }],
            reason: 'allow execve in the profile, or use another one',
          },
        }
      : { hint: 'allow execve in the filter that is given' }),
  }
}

/** Bytes of the longest single argument that execve accepts (MAX_ARG_STRLEN). */
const maxArgument = 131_072
/** Bytes of all arguments that execve accepts: three quarters of 8 MiB, whatever the stack limit is. */
const maxArguments = 6 * 1024 * 1024

function tooLong({ errno, argumentBytes, frontend }: ExecFacts): ExecExplanation | undefined {
  if (errno !== 'E2BIG' || !argumentBytes) return undefined
  const { total, longest } = argumentBytes
  const evidence: [string, string][] = [
    ['arguments', `${formatSize(total)} with the environment, the longest ${formatSize(longest)}`],
  ]
  if (longest >= maxArgument)
    return { why: 'an argument or variable is longer than 128 KiB', evidence, hint: 'pass it by stdin or in a file' }
  const why = 'its arguments and environment are longer than a quarter of its stack may be'
  if (total * 1.1 > maxArguments) return { why, evidence, hint: 'pass them by stdin or in a file: xargs splits a list' }
  const size = Math.ceil(total * 4.4)
  const add = allow.stack(frontend, size)
  const reason = 'allow a larger stack'
  if (add.length === 0) return { why, evidence, fix: { shell: `ulimit -s ${Math.ceil(size / 1024)}`, reason } }
  return { why, evidence, fix: { add, options: [{ name: 'ulimits.stack', value: String(size) }], reason } }
}

/** Explains an errno without any other facts. */
export function explainErrno(
  command: string,
  errno: string,
  searchPath: string,
  { frontend, root }: { frontend: 'cli' | 'library'; root?: object },
): ExecFailure {
  return explainExecFailure({
    command,
    errno,
    looks: [],
    searchPath,
    frontend,
    ownRoot: root !== undefined,
    filtered: false,
    landlock: false,
    arch: '',
    outside: (path) => path,
  })
}

/** Returns only the words, in the form of a verdict. */
export function execVerdict({
  headline,
  evidence,
  remedy,
}: ExecFailure): Pick<ExecFailure, 'headline' | 'evidence' | 'remedy'> {
  return { headline, evidence, remedy }
}
