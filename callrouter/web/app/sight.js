// What of a page is in sight, so that the rest need not be drawn ten times a second.

import { useEffect, useState } from "../vendor/preact.js";

const NEAR = "300px"; // so far from the window something counts as in sight, before it is scrolled there

const told = new Map(); // elements, and what is to be told whether they are in sight

const observer = new IntersectionObserver((entries) => entries.forEach((entry) => told.get(entry.target)?.(entry.isIntersecting)), { rootMargin: NEAR });

/** Whether the element of a ref is in sight, or near. True until that is known. */
export function useInSight(box) {
  const [inSight, setInSight] = useState(true);
  useEffect(() => {
    const own = box.current;
    told.set(own, setInSight);
    observer.observe(own);
    return () => {
      observer.unobserve(own);
      told.delete(own);
    };
  }, []);
  return inSight;
}
