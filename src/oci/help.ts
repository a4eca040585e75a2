// SPDX-License-Identifier: Apache-2.0
// Formats the help of the runtime and of its commands, from the table of flags. Pure.

import { usageOf } from './arguments.ts'
import { globalFlags, type OciCommandName, type OciFlags, ociCommands } from './flag-table.ts'

/** Returns the help of a command; without one, that of the runtime. `name` is how the runtime was called. */
export function formatOciHelp(name: string, about?: OciCommandName): string {
  if (about === undefined) {
    const commands = Object.entries(ociCommands).map(([verb, { summary }]) => `  ${verb.padEnd(12)}${summary}\n`)
    const usage = `Usage: ${name} [GLOBAL OPTIONS] COMMAND [OPTIONS] …\n`
    return `${usage}\nAn OCI runtime with the command line of runc.\n\nCommands:\n${commands.join('')}\nGlobal options:\n${formatFlags(globalFlags)}`
  }
  const { summary, flags } = ociCommands[about]
  const options = Object.keys(flags).length > 0 ? `\nOptions:\n${formatFlags(flags)}` : ''
  return `Usage: ${usageOf(about, name)}\n\n${summary}.\n${options}`
}

function formatFlags(flags: OciFlags): string {
  const names = Object.entries(flags).map(([name, { short, type, words }]) => {
    const value = type === 'yes' ? '' : ` ${words ? words.join('|') : type.toUpperCase()}`
    return `${short ? `-${short}, ` : '    '}--${name}${value}`
  })
  const width = Math.min(34, Math.max(...names.map(({ length }) => length)))
  return Object.values(flags)
    .map(({ help }, i) => {
      const name = names[i]!
      return name.length > width ? `  ${name}\n  ${' '.repeat(width)}  ${help}\n` : `  ${name.padEnd(width)}  ${help}\n`
    })
    .join('')
}
