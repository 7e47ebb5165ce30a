// Answers that come late: a view shows only those to what it still asks.

import { useEffect, useRef } from "../vendor/preact.js";

/** Returns how to ask about a subject, such as the id that the address names: call it before each request, and what it
 * returns once the answer is there. That tells whether the answer is to be shown: the view is still there and about the
 * same subject, and no later request was answered first. */
export function useAnswers(subject) {
  const now = useRef(subject);
  const asked = useRef(0);
  const answered = useRef(0);
  now.current = subject;
  useEffect(() => () => { answered.current = Infinity; }, []);
  return () => {
    const own = ++asked.current;
    return () => {
      if (now.current !== subject || own < answered.current) return false;
      answered.current = own;
      return true;
    };
  };
}
