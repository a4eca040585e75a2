// SPDX-License-Identifier: Apache-2.0
// Explains why a program could not be executed, from exec's errno and facts about the program's file. Returns words,
// evidence and a remedy. Pure. Called by run/exec-facts.ts, which collects the facts after exec has failed, and by
// compile/prepare.ts, which knows only the errno.
import { quote } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import type { OptionKey, Remedy } from './cause.ts'
import { findings } from './exec-findings.ts'
import { allow, byErrno, type ExecExplanation, executablePaths, pasteable, volumeWord } from './exec-words.ts'

/** What hutch-init found out about a program, with the command's privileges and inside the job's root. */
export interface ProgramReport {
  path: string
  /** Where `path` leads if it is a symbolic link; otherwise ''. */
  target: string
  /** The interpreter of a script, or the loader (PT_INTERP) of an ELF file; otherwise ''. */
  loader: string
  /** The errno of resolving the path, and the length of the path up to the part that failed. */
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

/** A program that exists on the host, and the options that make it visible in the job. */
export interface HostProgram {
  path: string
  /** Host paths that must be mounted in the job, each at the same path. */
  volumes: readonly string[]
  /** A value of PATH with which the command is found; absent if the command's own PATH is enough. */
  searchPath?: string
  /** The directory to which the command's path is relative. */
  directory?: string
}

/** The facts from which a failed exec is explained. */
export interface ExecFacts {
  /** The command as the user typed it. */
  command: string
  errno: string
  /** What hutch-init found about the program, followed by its interpreters. Empty if hutch-init could not examine them. */
  looks: readonly ProgramReport[]
  searchPath: string
  frontend: 'cli' | 'library' | 'bwrap' | 'tool'
  ownRoot: boolean
  filtered: boolean
  landlock: boolean
  /** The machine's architecture, as in Node's `process.arch`. */
  arch: string
  /** Total bytes of all arguments and variables, and bytes of the longest of them. */
  argumentBytes?: { total: number; longest: number }
  /** The job's own limits that can cause the errno; see options/limit-causes.ts. */
  limits?: readonly [why: string, remedy: string] | undefined
  /** Returns the path on the host of a path in the job. Returns undefined if the host has no such file. */
  outside: (path: string) => string | undefined
  onHost?: HostProgram | undefined
  /** Capabilities that the program's file has but that the job may not have. The kernel then refuses exec (capabilities(7)). */
  deniedCapabilities?: readonly string[]
  /** Processes that have the program's file open for writing. */
  writers?: readonly { pid: number; name: string }[]
}

/** A remedy: a shell command, options to add, or another command to run. */
export interface Fix {
  shell?: string
  add?: readonly string[]
  instead?: readonly string[]
  /** The options in `add`, under the names of the library. */
  options?: readonly { name: OptionKey; value: string }[]
  reason: string
}

/** Why exec failed, in words and as data. */
export interface ExecFailure {
  headline: string
  evidence: [label: string, text: string][]
  remedy: string
  /** Only the reason, which is the last part of `headline`. */
  why: string
  /** The remedies as data. */
  remedies: Remedy[]
  /** True if the program exists on the host but not in the job's root. */
  notInside?: true
  /** True if the program's file exists, but not its interpreter. */
  interpreterMissing?: true
}

/** Explains a failed exec from the facts. */
export function explainExecFailure(facts: ExecFacts): ExecFailure {
  const { command, errno } = facts
  const inside = notInside(facts)
  if (inside) return inside
  const found = find(facts) ?? refusedExec(facts) ?? tooLong(facts) ?? byLimits(facts) ?? byErrno(facts)
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

/** Returns the remedies as data. A shell command becomes an argument of `sh -c`. */
function remediesOf({ fix, hint }: ExecExplanation): Remedy[] {
  if (!fix) return [{ reason: hint ?? 'run it by hand to see the same error' }]
  const { shell, instead, options, reason } = fix
  if (options) return options.map((option) => ({ option, reason }))
  return [{ argv: shell ? ['sh', '-c', shell] : [...(instead ?? fix.add ?? [])], reason }]
}

/** Returns a line with the program's real path, if PATH or a symbolic link led to another path than the typed one. */
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

/** Explains why exec was refused, although the file itself can be executed: a restriction of the process forbids it. */
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

/** Maximum bytes of a single argument that execve accepts (MAX_ARG_STRLEN). */
const maxArgument = 131_072
/** Maximum bytes of all arguments together that execve accepts: three quarters of 8 MiB, regardless of the stack limit. */
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

/** Explains an errno that the job's own limits can cause. */
function byLimits(facts: ExecFacts): ExecExplanation | undefined {
  if (!facts.limits) return undefined
  const [why, hint] = facts.limits
  return { why: byErrno(facts).why, evidence: [['limits', why]], hint }
}

/** Explains an errno of exec without facts about the file. */
export function explainErrno(
  command: string,
  errno: string,
  searchPath: string,
  { frontend, root }: { frontend: 'cli' | 'library'; root?: object },
  limits?: ExecFacts['limits'],
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
    limits,
    outside: (path) => path,
  })
}

/** Returns the explanation as the words of a verdict. */
export function execVerdict({
  headline,
  evidence,
  remedy,
}: ExecFailure): Pick<ExecFailure, 'headline' | 'evidence' | 'remedy'> {
  return { headline, evidence, remedy }
}
