// SPDX-License-Identifier: Apache-2.0
// Parses the input from a terminal into keys. Knows the sequences of xterm and of the Linux console. Pure.

/** A key: its name, the character that it types, or `paste:` followed by pasted text. */
export type Key = string

const sequences: { [sequence: string]: Key } = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  '[5~': 'pageup',
  '[6~': 'pagedown',
  '[H': 'home',
  '[F': 'end',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[3~': 'delete',
}

const controls: { [character: string]: Key } = {
  '\r': 'enter',
  '\n': 'enter',
  '\x7f': 'backspace',
  '\b': 'backspace',
  '\x03': 'interrupt',
  '\x1a': 'suspend',
  '\x0c': 'redraw',
  '\x15': 'clear',
}

/** Parses input into keys. A single escape character is the Escape key. Unknown sequences are ignored. */
export function parseKeys(text: string): Key[] {
  const keys: Key[] = []
  for (const [, pasted, sequence, alone, control, character] of text.matchAll(
    /\x1b\[200~(.*?)(?:\x1b\[201~|$)|\x1b(\[[0-?]*[ -/]*[@-~]|O[A-Za-z])|(\x1b)|([\x00-\x1f\x7f])|(.)/gsu,
  )) {
    const key =
      pasted !== undefined
        ? `paste:${pasted}`
        : sequence !== undefined
          ? sequences[sequence]
          : alone
            ? 'escape'
            : control
              ? controls[control]
              : character
    if (key !== undefined) keys.push(key)
  }
  return keys
}
