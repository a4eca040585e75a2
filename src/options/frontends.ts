// SPDX-License-Identifier: Apache-2.0
// What differs between the two front ends of a Spec, as data. Read by parsers of options, the planner and errors; pure.
import { libraryNames, type OptionNames } from '../errors/remedy-text.ts'
import { keepMarks } from '../text/non-utf8.ts'
import { commandLineNames } from './names.ts'
import type { SpecFrontendName } from './spec.ts'

interface SpecFrontend {
  names: OptionNames
  /** How a command is run, for the error that it is missing. */
  usage: string
  /** Milliseconds of a time without a unit. */
  timeUnit: number
  /** Returns the arguments of the command. On the command line, names that are not UTF-8 are decoded already. */
  readArguments(args: readonly string[]): string[]
  /** Returns the name of an element of a list. */
  nameElement(name: string, index: number): string
  /** Returns the name of a limit that is named by its kernel file. */
  nameFile(file: string): string
  /** Returns the name of an entry of `mounts`. */
  nameMount(kind: string, index: number): string
  /** Returns how an option that is on by default is turned off. */
  turnOff(key: string): string
  /** The front end reads the output of jobs, so a sandbox limits it. */
  readsOutput: boolean
  /** The process runs this job alone, and stops it only at a limit. */
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
    oneJob: false,
  },
}
