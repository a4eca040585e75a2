// SPDX-License-Identifier: Apache-2.0
// Creates DOM elements without parsing markup, so that names of groups and processes are always plain text.

export function find<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { text, classes }: { text?: string; classes?: string } = {},
  ...children: Node[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (classes) element.className = classes
  if (text !== undefined) element.textContent = printable(text)
  element.append(...children)
  return element
}

/** Sets an element's text, unless it is already the same. */
export function setText(element: Element, text: string): void {
  const shown = printable(text)
  if (element.textContent !== shown) element.textContent = shown
}

/** Escapes control characters and direction marks in an untrusted name. */
export function printable(text: string): string {
  return text.replace(
    /[\0-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Makes one child element for each item. Reuses elements that exist. */
export function keep<T>(
  parent: Element,
  items: readonly T[],
  create: () => HTMLElement,
  update: (element: HTMLElement, item: T) => void,
): void {
  while (parent.children.length > items.length) parent.lastElementChild!.remove()
  while (parent.children.length < items.length) parent.append(create())
  for (const [i, item] of items.entries()) update(parent.children[i] as HTMLElement, item)
}
