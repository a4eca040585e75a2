// SPDX-License-Identifier: Apache-2.0
// Finds a CNI config list by name and parses it (CNI specification, section 1).

import { fail } from '../errors/errors.ts'
import { readdirSync, readFileSync } from '../system/files.ts'
import { nearest } from '../text/nearest.ts'
import { plain } from '../text/quote.ts'

/** A plugin's configuration. Other keys are passed through to the plugin. */
export interface PluginConfig {
  type: string
  capabilities?: { [name: string]: boolean }
  [key: string]: unknown
}

/** A network: its plugins in the order of ADD. */
export interface ConfigList {
  cniVersion: string
  name: string
  plugins: PluginConfig[]
}

/** Reads a list (`.conflist`) or a single plugin (`.conf`, `.json`). The first file name in order wins. @throws NETWORK_UNKNOWN, NETWORK_CONFIG_INVALID */
export function readConfigList(directory: string, name: string): ConfigList {
  const known: string[] = []
  for (const file of filesIn(directory)) {
    const path = `${directory}/${file}`
    let value: unknown
    try {
      value = JSON.parse(readFileSync(path, 'utf8'))
    } catch {
      // an invalid file of another network does not matter here
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

/** Checks the keys that hutch relies on. @throws NETWORK_CONFIG_INVALID */
export function parseConfigList(value: unknown, path: string): ConfigList {
  const refuse = (why: string) => fail('NETWORK_CONFIG_INVALID', { path, why })
  if (!isObject(value)) throw refuse('not a JSON object')
  const { cniVersion = '0.2.0', name } = value
  // a file with a single plugin is a list of one
  const plugins = 'plugins' in value ? value.plugins : [value]
  if (typeof cniVersion !== 'string' || !/^\d+\.\d+\.\d+$/.test(cniVersion))
    throw refuse('its cniVersion is no version')
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]*$/.test(name)) throw refuse('its name is not a network name')
  if (!Array.isArray(plugins) || plugins.length === 0) throw refuse('it has no list of plugins')
  for (const plugin of plugins as unknown[]) {
    // the type is a file name in the plugin directories and must not leave them
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
