// SPDX-License-Identifier: Apache-2.0
// Resolves paths of config.json. Pure.

/**
 * Returns a path without doubled slashes, trailing slashes and ".". A relative path is below `directory`. Keeps "..",
 * whose meaning depends on symbolic links.
 */
export function resolvePath(directory: string, path: string): string {
  const whole = path.startsWith('/') ? path : `${directory}/${path}`
  return `/${whole
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')}`
}
