// SPDX-License-Identifier: Apache-2.0
// CNI config lists: finding one by its name, and reading it (CNI specification, section 1).
import { readdirSync, readFileSync } from 'node:fs'
import { fail } from '../errors/errors.ts'
import { nearest } from '../text/nearest.ts'
import { plain } from '../text/quote.ts'

/** One plugin's own part; what else is in it is the plugin's business. */
export interface PluginConfig {
  type: string
  capabilities?: { [name: string]: boolean }
  [key: string]: unknown
}

/** A network: its plugins, in the order in which they add to it. */
export interface ConfigList {
  cniVersion: string
  name: string
  plugins: PluginConfig[]
}

/** A list (`.conflist`), or one plugin alone (`.conf`, `.json`); the first by file name has it. @throws NETWORK_UNKNOWN, NETWORK_CONFIG_INVALID */
export function readConfigList(directory: string, name: string): ConfigList {
  const known: string[] = []
  for (const file of filesIn(directory)) {
    const path = `${directory}/${file}`
    let value: unknown
    try {
      value = JSON.parse(readFileSync(path, 'utf8'))
    } catch {
      // another network's file is no concern of this one
      continue
    }
    const found = (value as { name?: unknown } | null)?.name
    if (typeof found !== 'string') continue
    if (found === name) return parseConfigList(value, path)
    known.push(plain(found))
  }
  throw fail('NETWORK_UNKNOWN', {
    name,
    directory,
    nearest: nearest(name, known),
    known: known.slice(0, 10).join(', '),
  })
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => /\.(conflist|conf|json)$/.test(file))
      .sort()
  } catch {
    return []
  }
}

/** Checks what hutch relies on. @throws NETWORK_CONFIG_INVALID */
export function parseConfigList(value: unknown, path: string): ConfigList {
  const refuse = (why: string) => fail('NETWORK_CONFIG_INVALID', { path, why })
  if (!isObject(value)) throw refuse('it is not a JSON object')
  const { cniVersion = '0.2.0', name } = value
  // a file of one plugin is a list of one
  const plugins = 'plugins' in value ? value.plugins : [value]
  if (typeof cniVersion !== 'string' || !/^\d+\.\d+\.\d+$/.test(cniVersion))
    throw refuse('its cniVersion is no version')
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]*$/.test(name)) throw refuse('its name is not a network name')
  if (!Array.isArray(plugins) || plugins.length === 0) throw refuse('it has no list of plugins')
  for (const plugin of plugins as unknown[]) {
    // the type is a file name in the directories of plugins, and never leads out of them
    if (!isObject(plugin) || typeof plugin.type !== 'string' || !/^[A-Za-z0-9][\w.-]*$/.test(plugin.type))
      throw refuse('a plugin in it has no type, or a type that is not a file name')
    if (plugin.capabilities !== undefined && !isObject(plugin.capabilities))
      throw refuse(`the capabilities of ${plugin.type} are not a JSON object`)
  }
  return { cniVersion, name, plugins: plugins as PluginConfig[] }
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
