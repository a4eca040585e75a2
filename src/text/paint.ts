// SPDX-License-Identifier: Apache-2.0
// Applies styles such as colours to text for terminals. Pure. Does not use `styleText` of node:util, which would open
// stdout at its first call (docs/decisions/0016).

const codes = { bold: '1', dim: '2', reverse: '7', red: '31', boldRed: '1;31', green: '32', yellow: '33' } as const

type Style = keyof typeof codes

/** Returns the text with the codes of a style. Returns the text unchanged if `color` is false. */
export function paint(style: Style, text: string, color: boolean): string {
  return color ? `\x1b[${codes[style]}m${text}\x1b[0m` : text
}
