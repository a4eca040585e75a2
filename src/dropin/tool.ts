// SPDX-License-Identifier: Apache-2.0
// The common part of the drop-ins: parses options, prints help or runs the tool, prints errors on stderr, and returns the tool's exit
// status.
import { HutchError, nameOptions } from '../errors/errors.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import { describeFault } from '../system/runtime.ts'
import { writeStderr } from '../system/stderr.ts'
import { print } from '../system/stdout.ts'
import { statusOf } from './exit-status.ts'
import { formatOptions, getopt, type OptionTable, type ParsedOptions } from './getopt.ts'

/** A drop-in command. `run` returns the exit status, or throws. */
interface Tool {
  name: string
  usage: readonly string[]
  purpose: string
  options: OptionTable
  /** False if the first operand begins the command line of another program, so that options end there. */
  permute?: boolean
  /** Exit status for an error without a status of its own. By default that of libcgroup's tools. */
  failure?: number
  /** Options that remedies name, by key. Without them, remedies name limits by their kernel files, as cgroup-tools do. */
  toolOptions?: OptionNames['toolOptions']
  run(parsed: ParsedOptions): number | Promise<number>
}

/** An option of libcgroup 3 that is accepted without effect, because hutch has no default delegated scope. */
export const ignoreDelegated: OptionTable = {
  b: { help: 'accepted, without effect: there is no default delegated group to ignore' },
}

/** Returns the `main` function of a drop-in command. */
export function toolMain(tool: Tool): (args: string[]) => Promise<number> {
  const options: OptionTable = { ...tool.options, h: { long: ['help'], help: 'print this' } }
  return async (args) => {
    try {
      const parsed = getopt(args, options, tool.permute ?? true)
      if (parsed.options.some(([key]) => key === 'h')) {
        print(formatHelp(tool, options))
        return 0
      }
      return await tool.run(parsed)
    } catch (error) {
      return complain(tool.name, error, tool)
    }
  }
}

function formatHelp({ name, usage, purpose }: Tool, options: OptionTable): string {
  const lines = usage.map((words, i) => `${i === 0 ? 'Usage:' : '   or:'} ${name} ${words}`)
  return `${lines.join('\n')}\n\n${purpose}\n\n${formatOptions(options)}`
}

/** Prints an error on stderr, with the tool's names of options, and returns its exit status. Only errors load the option table. */
export async function complain(
  name: string,
  thrown: unknown,
  { failure, toolOptions }: Pick<Tool, 'failure' | 'toolOptions'> = {},
): Promise<number> {
  const error = HutchError.is(thrown) ? thrown : (await import('../errors/missing-proc.ts')).explainMissingProc(thrown)
  if (HutchError.is(error)) {
    const { commandNames, dropinNames } = await import('../options/names.ts')
    const names = toolOptions ? dropinNames(toolOptions) : commandNames({})
    writeStderr(`${name}: ${nameOptions(error, names).message}\n`)
  } else if (error instanceof Error) writeStderr(describeFault(error).replace(/^hutch(?=:)/, name))
  else throw error
  return statusOf(error, failure)
}

/** Prints a remark that is not a failure. */
export function remark(name: string, text: string): void {
  writeStderr(`${name}: ${text}\n`)
}

/** Returns all values of an option, in order. */
export function valuesOf(parsed: ParsedOptions, key: string): string[] {
  return parsed.options.filter(([name]) => name === key).map(([, value]) => value)
}

/** Returns the last value of an option; undefined if it is not given. */
export function lastOf(parsed: ParsedOptions, key: string): string | undefined {
  return valuesOf(parsed, key).at(-1)
}
