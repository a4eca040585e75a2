// SPDX-License-Identifier: Apache-2.0
// Writes all man pages to a directory. Run by build.js.
import { mkdirSync, writeFileSync } from '../../system/files.ts'
import { hutch } from '../table.ts'
import { describeAll } from './describe-all.ts'
import { formatMainPage, formatPage } from './man.ts'

declare const HUTCH_VERSION: string

async function writePages(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}/hutch.1`, formatMainPage(hutch, HUTCH_VERSION))
  for (const { name, summary, parts } of await describeAll(hutch))
    writeFileSync(`${directory}/hutch-${name}.1`, formatPage(name, summary, parts, HUTCH_VERSION))
}

writePages(process.argv[2]!)
