// SPDX-License-Identifier: Apache-2.0
// cgconfigparser: loads cgconfig.conf files. If a file cannot be loaded, everything that it created is removed.
import { fail } from '../../errors/errors.ts'
import { parseConfiguration } from '../../rules/config-file.ts'
import { orStatus, statuses } from '../exit-status.ts'
import type { ParsedOptions } from '../getopt.ts'
import { complain, toolMain } from '../tool.ts'
import { permissionOptions, readPermissions } from './cgcreate.ts'
import { loadConfiguration } from './config-load.ts'
import type { Permissions } from './create.ts'
import { listConfigurations, readText } from './local-file.ts'

const name = 'cgconfigparser'

/** Exit status for a directory that cannot be read. */
const noDirectory = 1

export const main = toolMain({
  name,
  usage: ['[OPTIONS] -l FILE | -L DIRECTORY …'],
  purpose: 'Creates and configures the groups of cgconfig.conf files.',
  options: {
    l: { long: ['load'], value: 'FILE', help: 'load this file; may be repeated' },
    L: {
      long: ['load-directory'],
      value: 'DIRECTORY',
      help: 'load the *.conf files of this directory, in order of their names',
    },
    ...permissionOptions,
  },
  async run(parsed: ParsedOptions) {
    const sources = parsed.options.filter(([key]) => key === 'l' || key === 'L')
    const extra = parsed.words[0]
    if (extra !== undefined || sources.length === 0)
      throw fail('WORDS_MISSING', { usage: 'cgconfigparser -l FILE, or -L DIRECTORY, and nothing else' })
    const defaults = orStatus(statuses.failed, () => readPermissions(parsed))
    // try each file; the last failure determines the exit status
    let status = 0
    for (const [key, path] of sources) {
      try {
        const files = key === 'l' ? [path] : listConfigurations(path, noDirectory)
        for (const file of files) status = (await load(file, defaults)) || status
      } catch (error) {
        status = await complain(name, error)
      }
    }
    return status
  },
})

async function load(path: string, defaults: Permissions): Promise<number> {
  try {
    const text = readText(path, statuses.refused)
    loadConfiguration(
      orStatus(statuses.configInvalid, () => parseConfiguration(text, path)),
      path,
      defaults,
    )
    return 0
  } catch (error) {
    return complain(name, error)
  }
}
