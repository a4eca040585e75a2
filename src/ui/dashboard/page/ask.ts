// SPDX-License-Identifier: Apache-2.0
// Asks the user to confirm a change, and requests it from the server.
import type { ActionRequest } from '../api-types.ts'
import { below } from './base.ts'
import { find, printable, setText } from './dom.ts'

/** Asks the user. After a yes, sends the change to the server and shows the outcome. */
export async function ask(wish: ActionRequest, question: { title: string; text: string; yes: string }): Promise<void> {
  const dialog = find<HTMLDialogElement>('ask')
  setText(find('ask-title'), question.title)
  setText(find('ask-text'), question.text)
  setText(find('ask-yes'), question.yes)
  dialog.returnValue = 'no'
  dialog.showModal()
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }))
  if (dialog.returnValue !== 'yes') return
  const said = find('said')
  said.className = ''
  said.textContent = '…'
  try {
    const response = await fetch(below('/change'), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(wish),
    })
    const answer = (await response.json()) as { said: string }
    said.className = response.ok ? '' : 'bad'
    said.textContent = printable(answer.said)
  } catch {
    said.className = 'bad'
    said.textContent = 'the hutch server does not answer'
  }
}
