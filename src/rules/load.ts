// SPDX-License-Identifier: Apache-2.0
// Loads the rules of cgrules.conf(5): from a named file, or from /etc/cgrules.conf and then the files in
// /etc/cgrules.d, sorted by name.

import { fail, HutchError } from '../errors/errors.ts'
import type { PasswdMaps } from '../host/passwd.ts'
import { readdirSync, statSync } from '../system/files.ts'
import { maxConfigBytes, readTextFile } from '../system/text-file.ts'
import { encodePath } from '../text/non-utf8.ts'
import { type GroupSection, parseConfiguration } from './config-file.ts'
import { parseRules, type Rule } from './parse.ts'
import { joinTemplates } from './template.ts'

const defaultFile = '/etc/cgrules.conf'
const defaultDirectory = '/etc/cgrules.d'
const configFile = '/etc/cgconfig.conf'
const configDirectory = '/etc/cgconfig.d'

/**
 * Loads the rules, and the templates for groups that the rules create.
 *
 * @throws RULES_INVALID, CONFIG_INVALID, CGROUP_PATH_INVALID, FILE_REFUSED
 */
export function loadRules(file?: string, templates?: string): Rule[] {
  return joinTemplates(loadFiles(file), loadTemplates(templates))
}

function loadFiles(file?: string): Rule[] {
  if (file !== undefined) return parseRules(readText(file), file)
  const more = listDirectory(defaultDirectory)
  const files = more.length > 0 && !exists(defaultFile) ? more : [defaultFile, ...more]
  return files.flatMap((path) => parseRules(readText(path), path))
}

/** Loads the templates from cgconfig.conf and cgconfig.d/*.conf, as cgrulesengd does. Ignores missing files. */
function loadTemplates(file?: string): GroupSection[] {
  if (file !== undefined) return parseConfiguration(readText(file), file).templates
  const files = [configFile, ...listDirectory(configDirectory).filter((path) => path.endsWith('.conf'))]
  return files.filter(exists).flatMap((path) => parseConfiguration(readText(path), path).templates)
}

/** Returns a message for each user or group in the rules that does not exist on this host. Their rules match no process. */
export function findUnknown(rules: readonly Rule[], ids: PasswdMaps): string[] {
  return rules.flatMap(({ who, origin }) => {
    if (who.kind === 'any' || /^\d+$/.test(who.name)) return []
    const known = who.kind === 'user' ? ids.users.has(who.name) : ids.groups.has(who.name)
    return known ? [] : [`${origin}: there is no ${who.kind} ${who.name}, so this rule matches no process`]
  })
}

function listDirectory(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => `${directory}/${entry.name}`)
      .sort()
  } catch {
    return []
  }
}

function exists(path: string): boolean {
  return statSync(encodePath(path), { throwIfNoEntry: false }) !== undefined
}

function readText(path: string): string {
  const refuse = (errno: string) =>
    fail('FILE_REFUSED', { what: 'read the rules of', path, errno, remedy: 'name a rules file with --file' })
  try {
    const facts = statSync(encodePath(path))
    // refuse other kinds of files: reading a FIFO could block, and a device could be endless
    if (!facts.isFile()) throw refuse('not a regular file')
    if (facts.size > maxConfigBytes) throw refuse('larger than 1 MiB')
    return readTextFile(encodePath(path), maxConfigBytes)
  } catch (error) {
    throw HutchError.is(error) ? error : refuse((error as NodeJS.ErrnoException).code ?? 'EIO')
  }
}
