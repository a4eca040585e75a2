// SPDX-License-Identifier: Apache-2.0
// Implements ../paths.ts without Node.

export function basename(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

export function dirname(path: string): string {
  const trimmed = path.replace(/(?<=.)\/+$/s, '')
  const slash = trimmed.lastIndexOf('/')
  if (slash < 0) return '.'
  // as Node, which leaves doubled slashes
  if (slash === 0) return '/'
  return trimmed.slice(0, trimmed.startsWith('/') && slash === 1 ? 2 : slash)
}

export function resolve(...parts: string[]): string {
  let path = ''
  for (let i = parts.length - 1; i >= 0 && !path.startsWith('/'); i--)
    if (parts[i] !== '') path = path === '' ? parts[i]! : `${parts[i]}/${path}`
  if (!path.startsWith('/')) path = `${process.cwd()}/${path}`
  const names: string[] = []
  for (const name of path.split('/'))
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  return `/${names.join('/')}`
}

export function fileURLToPath(url: string | URL): string {
  return decodeURIComponent(typeof url === 'string' ? url.replace(/^file:\/\//, '') : url.pathname)
}
