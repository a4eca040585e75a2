// SPDX-License-Identifier: Apache-2.0
// Lets control groups accept limits under the names of the options, such as `memory`. Imported by index.ts for this
// effect.
import { formatFile } from '../cgroup/format-file.ts'
import { provideLimitTable } from '../cgroup/limit-words.ts'
import { type Limits, parseLimits } from './limit-options.ts'
import { type LimitKey, limitRowOf } from './table.ts'
import { refuseUnknown } from './unknown-option.ts'

provideLimitTable({
  fileOf: (word) => (Object.hasOwn(limitRowOf, word) ? limitRowOf[word as LimitKey].file : undefined),
  parse: (limits, call) => {
    const name = call === 'Cgroup.set' ? '' : 'limits'
    const writes = parseLimits(limits as Limits, 'library', formatFile, undefined, { call, name })
    return writes.map(({ file, value }) => [file, value])
  },
  refuseUnknown,
})
