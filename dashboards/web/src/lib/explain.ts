import { ApiError } from '@/api/error'

/** A failure in words for the person at the screen: what happened, and what to do. */
export interface Explanation {
  title: string
  advice: string
}

/** Says what an error means; never shows internals that the server did not word for people. */
export function explain(error: unknown, online = true): Explanation {
  if (!online) {
    return { title: 'You are offline', advice: 'The page goes on by itself once the connection is back.' }
  }
  if (!(error instanceof ApiError)) {
    return {
      title: 'Something went wrong on this page',
      advice: 'Reload it; if that does not help, tell us.',
    }
  }
  return error.failure === 'status' ? explainStatus(error) : explainFailure(error)
}

function explainFailure(error: ApiError): Explanation {
  switch (error.failure) {
    case 'timeout':
      return { title: 'The server takes too long to answer', advice: 'A shorter range may answer sooner.' }
    case 'stalled':
      return {
        title: 'The upload does not go on',
        advice: 'Nothing moved for a while: check the connection, then try again.',
      }
    case 'answer':
      return {
        title: 'The answer could not be read',
        advice: 'Something between this page and the server may have changed it: check a proxy in between.',
      }
    default:
      return {
        title: 'The server cannot be reached',
        advice: 'Check that “corrosion serve” is running and that this machine can reach it.',
      }
  }
}

/** What buying and installing modules is refused for. */
const byModuleCode: Record<string, Explanation> = {
  'not-owned': { title: 'Your network does not own this module', advice: 'Buy it first.' },
  'already-owned': { title: 'Your network owns this module already', advice: 'There is nothing to pay.' },
  'price-changed': { title: 'The price has changed', advice: 'Look at the new price, then decide again.' },
  'purchase-unsettled': {
    title: 'An earlier purchase is not settled yet',
    advice: 'The payment provider is asked again within a minute: see it under “Purchases”.',
  },
  'payment-declined': { title: 'The payment was declined', advice: 'Pay again with other means.' },
  'payment-not-approved': {
    title: 'The payment is not approved yet',
    advice: 'Agree at the payment provider, then come back here.',
  },
  'payment-unavailable': {
    title: 'The payment provider does not answer',
    advice: 'Nothing is lost: try again, or look at the purchase in a minute.',
  },
  'refund-too-late': {
    title: 'The two weeks for giving it back are over',
    advice: 'Ask whoever runs this platform.',
  },
  'installation-busy': {
    title: 'An installation of it is under way on this server',
    advice: 'Wait for it, or cancel it.',
  },
  'installed-already': { title: 'This version is on the server already', advice: 'Nothing is left to do.' },
  'rollout-open': {
    title: 'Another rollout of this module is under way',
    advice: 'Wait for it, or cancel it.',
  },
  'status-forbids': {
    title: 'It is not in a state in which this can be done',
    advice: 'It went on meanwhile: look at it again.',
  },
  'no-version': { title: 'It has no published version', advice: 'Publish a version first.' },
}

/** Problems that have better words than their status. */
const byCode: Record<string, Explanation> = {
  'license-suspended': {
    title: 'This license is suspended',
    advice: 'Nothing is lost. Whoever runs this platform can say why.',
  },
  'no-license': {
    title: 'This account belongs to no network yet',
    advice: 'Make one under “Team”, or ask the owner of a network for an invitation.',
  },
  'password-wrong': { title: 'The current password is wrong', advice: 'Try again.' },
  'code-wrong': { title: 'The code is wrong', advice: 'Each code counts once: wait for the next one.' },
  'link-invalid': {
    title: 'The link is not valid any more',
    advice: 'It was used or is too old: ask for another one.',
  },
  conflict: {
    title: 'Something of that name is there already',
    advice: 'Take another name, or change what is there.',
  },
  changed: {
    title: 'Somebody else was faster',
    advice: 'It was changed since this page read it: look at it again, then repeat your change.',
  },
  'last-owner': {
    title: 'A network keeps at least one owner',
    advice: 'Make somebody else an owner first.',
  },
  'already-member': {
    title: 'This person is a member already',
    advice: 'Change their role in the list instead.',
  },
  'limit-reached': {
    title: 'There are too many of these',
    advice: 'Remove some that are not needed any more.',
  },
  'other-email': {
    title: 'The invitation is for another email',
    advice: 'Sign in to the account of the email that was invited, or ask to be invited under yours.',
  },
  'registration-closed': {
    title: 'Accounts are not open to everybody here',
    advice: 'Ask whoever runs this platform for one, or the owner of a network for an invitation.',
  },
  'proof-needed': {
    title: 'Too many requests from your network',
    advice: 'This browser could not show that it is no robot: try again in a while, or over https.',
  },
  'session-ended': { title: 'The session has ended', advice: 'Sign in again.' },
}

function explainStatus(error: ApiError): Explanation {
  const detail = error.problem?.errors?.map((e) => e.message).find(Boolean) ?? error.problem?.detail
  const known = byCode[error.code] ?? byModuleCode[error.code]
  if (known) return known
  if (error.status === 401) {
    return {
      title: 'The access token is not accepted',
      advice: 'It may have expired: make a new one with “corrosion token” and paste it again.',
    }
  }
  if (error.status === 403) {
    return { title: 'No permission', advice: 'Ask an owner of the network to change your role.' }
  }
  if (error.status === 404) {
    return {
      title: 'There is nothing here',
      advice: 'It may have been removed, or it belongs to another network.',
    }
  }
  if (error.status === 429) {
    return { title: 'Too many requests', advice: 'The page waits as long as the server asks, then goes on.' }
  }
  if (error.status === 503) {
    return {
      title: 'The server is not ready',
      advice: detail ?? 'One of its stores is away; “corrosion doctor” says which.',
    }
  }
  if (error.status >= 500) {
    return {
      title: 'The server failed to answer',
      advice: 'Its log says why; the page tries again by itself.',
    }
  }
  return { title: 'The request was refused', advice: detail ?? `The server answered ${error.status}.` }
}
