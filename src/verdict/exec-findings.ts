// SPDX-License-Identifier: Apache-2.0
// Examines a program's file to find the reason for the errno with which exec refused it. Called by exec-failure.ts;
// pure.
import { quote } from '../text/quote.ts'
import type { ExecFacts, ProgramReport } from './exec-failure.ts'
import { describeFileKind, type ExecExplanation, pasteable, scriptFix, searchHint } from './exec-words.ts'
import { readFileKind } from './program-file.ts'

type Finder = (facts: ExecFacts, report: ProgramReport, subject: string) => ExecExplanation | undefined

/** For each errno, the functions that look for a reason, in this order. The first one that finds a reason is used. */
export const findings: { [errno: string]: readonly Finder[] } = {
  ENOENT: [missing, missingInterpreter],
  EACCES: [barred, notAFile, noMode, noexec, noRight, barredInterpreter],
  ENOEXEC: [badFormat],
  ELOOP: [linkLoop, nestedScripts],
  ENOTDIR: [throughFile],
  ETXTBSY: [beingWritten],
  EISDIR: [notAFile],
  ENAMETOOLONG: [],
  E2BIG: [],
}

function missing(
  { command, searchPath, ownRoot, frontend }: ExecFacts,
  report: ProgramReport,
  subject: string,
): ExecExplanation | undefined {
  if (report.error !== 'ENOENT' || subject !== 'it') return undefined
  if (report.target !== '')
    return {
      why: `${quote(report.path)} is a symbolic link to ${quote(report.target)}, which does not exist`,
      hint: `restore the link's target, or replace the link: ln -sfn PROGRAM ${pasteable(report.path)}`,
    }
  if (!command.includes('/'))
    return {
      why: 'no such program',
      evidence: [['looked in', searchPath]],
      hint: searchHint(frontend, ownRoot),
    }
  const gone = report.path.slice(0, report.barrier)
  return {
    why: 'no such program',
    ...(gone !== report.path && { evidence: [['missing', quote(gone)]] }),
    hint: ownRoot ? 'give a path that exists inside' : 'give a path that exists',
  }
}

function missingInterpreter(facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.loaderError !== 'ENOENT') return undefined
  const kind = readFileKind(report.head)
  const evidence: [string, string][] = [['interpreter', quote(report.loader)]]
  const file = pasteable(facts.outside(report.path) ?? report.path)
  const base = { evidence, interpreterMissing: true as const }
  if (kind.kind === 'script' && (kind.returns || report.loader.endsWith('\r')))
    return {
      ...base,
      why: `the first line of ${subject === 'it' ? 'the script' : subject} ends in a carriage return (\\r), so its interpreter is not found`,
      fix: { shell: `sed -i 's/\\r$//' ${file}`, reason: 'the script has line ends of Windows; convert them' },
    }
  if (kind.kind === 'script')
    return {
      ...base,
      why: `the interpreter that ${subject === 'it' ? 'it' : subject} names does not exist`,
      ...scriptFix(report, 'install the interpreter, or correct the first line of the script'),
    }
  return {
    ...base,
    why: `the loader that ${subject === 'it' ? 'it' : subject} names does not exist`,
    evidence: [
      ['loader', quote(report.loader)],
      ['file', describeFileKind(kind)],
    ],
    hint: loaderHint(report.loader, facts.ownRoot),
  }
}

/** Patterns for names of ELF loaders (dynamic linkers), each with a hint about the package that contains them. */
const loaders: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [
    /\/ld-linux\.so\.2$/,
    'install the 32-bit C library: dpkg --add-architecture i386 && apt-get update && apt-get install libc6:i386',
  ],
  [/\/ld-musl-[\w]+\.so\.1$/, 'the program was built for musl (Alpine): apt-get install musl'],
  [
    /\/ld-linux-(armhf|aarch64|riscv)/,
    'the program is for another machine: install its C library, such as libc6:arm64',
  ],
  [/\/nix\/store\//, 'the program was built by Nix, and its C library was removed: build the program again'],
]

function loaderHint(loader: string, ownRoot: boolean): string {
  const known = loaders.find(([pattern]) => pattern.test(loader))
  if (known) return known[1]
  return ownRoot
    ? 'install its C library in the root, or link the program statically'
    : `install the package that has ${quote(loader)}`
}

function barred({ outside }: ExecFacts, report: ProgramReport): ExecExplanation | undefined {
  if (report.error !== 'EACCES') return undefined
  const directory = (report.target || report.path).slice(0, report.barrier) || '.'
  return {
    why: `user ${report.user} cannot search the directory ${quote(directory)}`,
    evidence: [['directory', `mode ${octal(report.mode)}, owner ${report.owner}`]],
    fix: { shell: `chmod a+x ${pasteable(outside(directory) ?? directory)}`, reason: 'allow others to search it' },
  }
}

const fileTypes = new Map([
  [0o040000, 'a directory'],
  [0o020000, 'a character device'],
  [0o060000, 'a block device'],
  [0o010000, 'a named pipe'],
  [0o140000, 'a socket'],
])

function notAFile(_facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  const type = fileTypes.get(report.mode & 0o170000)
  if (report.error || !type) return undefined
  return {
    why: `${subject} is ${type}`,
    hint: `give a program${type === 'a directory' ? ` in it: ls -l ${pasteable(report.path)}` : ''}`,
  }
}

function noMode(facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.error || report.mode & 0o111) return undefined
  const kind = readFileKind(report.head)
  const file = pasteable(facts.outside(report.path) ?? report.path)
  const why = `${subject} is not executable (mode ${octal(report.mode)})`
  // these files could not run even with execute permission
  if (kind.kind === 'text' || kind.kind === 'empty' || kind.kind === 'data' || kind.kind === 'foreign') {
    const found = badFormat(facts, report, subject)!
    return { ...found, why: `${why}, and ${found.why.replace(/^it /, '')}` }
  }
  return { why, fix: { shell: `chmod a+rx ${file}`, reason: 'make it executable' } }
}

function noexec(facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.error || !report.noexec) return undefined
  const file = report.target || report.path
  const host = facts.outside(file)
  const kind = readFileKind(report.head)
  const why = `${subject} is on a mount with noexec`
  if (kind.kind === 'script' && !report.loaderError && kind.interpreter)
    return {
      why,
      fix: {
        instead: [kind.interpreter, ...(kind.rest ? [kind.rest] : []), report.path],
        reason: 'pass it to its interpreter',
      },
    }
  return facts.ownRoot
    ? { why, hint: 'mount it with exec: --tmpfs DST:exec, or --volume SRC:DST:exec' }
    : {
        why,
        fix: {
          shell: `mount -o remount,exec "$(findmnt -n -o TARGET -T ${pasteable(host ?? file)})"`,
          reason: 'allow executables there, as root',
        },
      }
}

function noRight({ outside }: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.error || report.access !== 'EACCES' || report.noexec) return undefined
  return {
    why: `user ${report.user} may not execute ${subject === 'it' ? 'it' : quote(report.path)}`,
    evidence: [['file', `mode ${octal(report.mode)}, owner ${report.owner}`]],
    fix: {
      shell: `chmod a+rx ${pasteable(outside(report.path) ?? report.path)}`,
      reason: 'allow others to execute it',
    },
  }
}

function barredInterpreter(_facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.loaderError !== 'EACCES') return undefined
  return {
    why: `the interpreter that ${subject} names cannot be reached by user ${report.user}`,
    evidence: [['interpreter', quote(report.loader)]],
    hint: `find the directory that denies access: namei -l ${pasteable(report.loader)}`,
  }
}

function badFormat(facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.error || (report.mode & 0o170000) !== 0o100000) return undefined
  const kind = readFileKind(report.head)
  const file = pasteable(facts.outside(report.path) ?? report.path)
  switch (kind.kind) {
    case 'empty':
      if (report.openError)
        return { why: `${subject} has a format that the kernel does not know`, hint: `check its type: file ${file}` }
      return { why: `${subject} is empty`, hint: 'write the program, or copy it again' }
    case 'marked script':
      return {
        why: `${subject} begins with a byte-order mark, which hides its "#!"`,
        fix: { shell: `sed -i '1s/^\\xEF\\xBB\\xBF//' ${file}`, reason: 'remove the mark' },
      }
    case 'script':
      if (kind.cut)
        return {
          why: `the first line of ${subject} is longer than the 256 bytes that the kernel reads`,
          hint: 'shorten the path of the interpreter, for example with a symbolic link',
        }
      if (kind.interpreter === '')
        return {
          why: `${subject} names no interpreter after "#!"`,
          ...scriptFix(report, 'write the path of the interpreter after "#!" in the first line'),
        }
      return undefined
    case 'text':
      return {
        why: `${subject} is a text without a first line such as #!/bin/sh`,
        ...scriptFix(report, 'write such a line at its top', 'sh'),
      }
    case 'elf':
      return {
        why: `${subject} is ${describeFileKind(kind)}${machineWords(facts, kind)}`,
        hint: 'build the program for this machine, or copy it again if the file is cut off (compare with cmp); qemu-user runs programs of other machines',
      }
    case 'foreign':
      return {
        why: `${subject} is ${kind.name}`,
        ...scriptFix(report, 'Linux does not run it: give a program for Linux'),
      }
    case 'data':
      return { why: `${subject} has a format that the kernel does not know`, hint: `check its type: file ${file}` }
  }
}

function machineWords({ arch }: ExecFacts, kind: { machine: string; bits: number; executable: boolean }): string {
  const own = { x64: 'x86-64', arm64: 'ARM64 (aarch64)', riscv64: 'RISC-V' }[arch] ?? arch
  if (!kind.executable) return ', which is an object or core file, not a program'
  return kind.machine === own && kind.bits === 64 ? ', but it is damaged or cut off' : `, and this machine is ${own}`
}

function linkLoop(_facts: ExecFacts, report: ProgramReport, subject: string): ExecExplanation | undefined {
  if (report.error !== 'ELOOP') return undefined
  const path = report.path.slice(0, report.barrier) || report.path
  return {
    why: `the symbolic links of ${subject === 'it' ? quote(path) : subject} form a loop`,
    hint: `see where each leads: namei ${pasteable(report.path)}; and replace the wrong one: ln -sfn PROGRAM LINK`,
  }
}

function nestedScripts({ looks }: ExecFacts, _look: ProgramReport, _subject: string): ExecExplanation | undefined {
  if (looks.length < 3) return undefined
  return {
    why: 'its interpreter is a script of a script, deeper than the kernel follows (5)',
    evidence: [['scripts', looks.map(({ path }) => quote(path)).join(' → ')]],
    hint: 'name a program that is not a script in the first line',
  }
}

function throughFile(_facts: ExecFacts, report: ProgramReport): ExecExplanation | undefined {
  if (report.error !== 'ENOTDIR') return undefined
  const part = (report.target || report.path).slice(0, report.barrier)
  return {
    why: `${quote(part)} is a file, not a directory`,
    hint: `give a path that does not go through ${quote(part)}`,
  }
}

function beingWritten(
  { writers = [], outside }: ExecFacts,
  report: ProgramReport,
  subject: string,
): ExecExplanation | undefined {
  if (report.error) return undefined
  return {
    why: `${subject} is open for writing`,
    evidence: writers.map(({ pid, name }): [string, string] => ['writer', `${quote(name)}, pid ${pid}`]),
    hint:
      writers.length > 0
        ? `close the file in that process first, or wait for its end: tail --pid=${writers[0]!.pid} -f /dev/null`
        : `close the file first; this lists the processes that have it open: fuser -v ${pasteable(outside(report.path) ?? report.path)}`,
  }
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}
