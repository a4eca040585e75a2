// SPDX-License-Identifier: Apache-2.0
// hutch cgroup save: prints groups, their descendants and all settings as JSON, which apply reads.
import { openGroup } from '../../cgroup/group.ts'
import { takeSnapshot } from '../../cgroup/snapshot.ts'
import { fail } from '../../errors/errors.ts'
import { readHost } from '../../host/host.ts'
import { openDocument } from '../../system/output-file.ts'
import { print } from '../../system/stdout.ts'
import { formatJson } from '../../text/quote.ts'
import type { Command } from '../command.ts'

export const command: Command = {
  flags: { output: { value: 'FILE', short: 'o', help: 'File to write.', default: 'standard output' } },
  words: 'GROUP…',
  minWords: 1,
  main({ values, rest: names }) {
    const groups = names.map(openGroup)
    const snapshot = takeSnapshot(readHost(), groups)
    const text = `${formatJson(snapshot, 1)}\n`
    const path = values.output?.at(-1)
    if (path === undefined) print(text)
    else
      try {
        openDocument(path)(text)
      } catch (error) {
        const { code = 'EIO' } = error as NodeJS.ErrnoException
        throw fail('FILE_REFUSED', {
          what: 'write the snapshot',
          path,
          errno: code,
          remedy: 'give --output a file that can be written',
        })
      }
    return 0
  },
}
