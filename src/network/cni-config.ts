// SPDX-License-Identifier: Apache-2.0
// Finds the configuration of a CNI network (a config list) by its name, and parses it: CNI specification, section 1.

import { fail } from '../errors/errors.ts'
import { readdirSync } from '../system/files.ts'
import { maxConfigBytes, readTextFile } from '../system/text-file.ts'
import { parseJson } from '../text/json.ts'
import { nearest } from '../text/nearest.ts'
import { plain } from '../text/quote.ts'

/** The configuration of one CNI plugin. Keys that hutch does not know are passed on to the plugin. */
export interface PluginConfig {
  type: string
  capabilities?: { [name: string]: boolean }
  [key: string]: unknown
}

/** A CNI network: its plugins, in the order in which ADD runs them. */
export interface ConfigList {
  cniVersion: string
  name: string
  plugins: PluginConfig[]
}

/**
 * Reads the configuration of the network with this name: a list (`.conflist`) or a single plugin (`.conf`, `.json`). If
 * several files have the name, uses the first in alphabetical order.
 *
 * @throws NETWORK_UNKNOWN, NETWORK_CONFIG_INVALID
 */
export function readConfigList(directory: string, name: string): ConfigList {
  const known: string[] = []
  for (const file of filesIn(directory)) {
    const path = `${directory}/${file}`
    let value: unknown
    try {
      value = parseJson(readTextFile(path, maxConfigBytes))
    } catch {
      // an invalid file is ignored here, because it may belong to another network
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

/** Checks the keys of a config list that hutch itself uses. @throws NETWORK_CONFIG_INVALID */
export function parseConfigList(value: unknown, path: string): ConfigList {
  const refuse = (why: string) => fail('NETWORK_CONFIG_INVALID', { path, why })
  if (!isObject(value)) throw refuse('not a JSON object')
  const { cniVersion = '0.2.0', name } = value
  // treat a file with a single plugin as a list of one plugin
  const plugins = 'plugins' in value ? value.plugins : [value]
  if (typeof cniVersion !== 'string' || !/^\d+\.\d+\.\d+$/.test(cniVersion))
    throw refuse('its cniVersion is no version')
  if (typeof name !== 'string' || !/^[A-Za-z0-9][\w.-]*$/.test(name)) throw refuse('its name is not a network name')
  if (!Array.isArray(plugins) || plugins.length === 0) throw refuse('it has no list of plugins')
  for (const plugin of plugins as unknown[]) {
    // the plugin's type is used as a file name, and must not lead out of the plugin directories
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
