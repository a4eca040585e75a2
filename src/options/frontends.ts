// SPDX-License-Identifier: Apache-2.0
// Describes, as data, how the two front ends differ that produce a Spec: the command line and the library. Read by the
// option parsers, the planner and errors; pure.
import { libraryNames, type OptionNames } from '../errors/remedy-text.ts'
import { keepMarks } from '../text/non-utf8.ts'
import { commandLineNames } from './names.ts'
import type { SpecFrontendName } from './spec.ts'

interface SpecFrontend {
  names: OptionNames
  /** How to call the front end, for the error about a missing command. */
  usage: string
  /** Milliseconds that a number without a unit means: 1000 for seconds on the command line, 1 in the library. */
  timeUnit: number
  /** Returns the arguments of the command. On the command line, arguments that are not UTF-8 have already been decoded. */
  readArguments(args: readonly string[]): string[]
  /** Returns how errors name an element of a list option. */
  nameElement(name: string, index: number): string
  /** Returns how errors name a limit that is given as a kernel file. */
  nameFile(file: string): string
  /** Returns how errors name an entry of `mounts`. */
  nameMount(kind: string, index: number): string
  /** Returns what the user writes to turn off an option that is on by default. */
  turnOff(key: string): string
  /** True if this front end reads the output of jobs into memory, so a sandbox limits the output. */
  readsOutput: boolean
  /** True if the caller writes the keys of objects in options. The command line's parser makes these objects itself. */
  writesKeys: boolean
  /** True if the process runs only this job, and stops the job only when it reaches a limit. */
  oneJob: boolean
}

export const specFrontends: { readonly [frontend in SpecFrontendName]: SpecFrontend } = {
  cli: {
    names: commandLineNames,
    usage: 'hutch run [OPTIONS] -- COMMAND [ARG…]',
    timeUnit: 1000,
    readArguments: (args) => [...args],
    nameElement: (name) => name,
    nameFile: (file) => commandLineNames.runOption(`limits.${file}`),
    nameMount: (kind) => commandLineNames.runOption(`mounts.${kind}`),
    turnOff: (key) => commandLineNames.runOption(key),
    readsOutput: false,
    writesKeys: false,
    oneJob: true,
  },
  library: {
    names: libraryNames,
    usage: "run('command', ['argument'], options)",
    timeUnit: 1,
    readArguments: (args) => args.map(keepMarks),
    nameElement: (name, index) => `${name}[${index}]`,
    nameFile: (file) => `limits['${file}']`,
    nameMount: (kind, index) => `mounts[${index}].${kind}`,
    turnOff: (key) => `${key}: false`,
    readsOutput: true,
    writesKeys: true,
    oneJob: false,
  },
}
