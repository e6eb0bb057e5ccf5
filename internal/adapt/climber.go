package adapt

// Settings of the climb.
const (
	fair     = 0.3 // of what the transfers there were brought each, those that are added must bring
	full     = 0.8 // of the limit is on its way when it is the limit that counts
	more     = 1.1 // times as many are on their way when a higher limit is used
	minPause = 4   // windows between trials
	maxPause = 32
)

// window is what was measured while the limit stood.
type window struct {
	rate  float64 // bytes a second
	level float64 // mean number of transfers on their way
}

// climber decides the limit. It is a value: next and slow return what it becomes.
type climber struct {
	min, max int
	limit    int

	base     window // of the limit that is kept; zero: not measured
	from     int    // the limit to go back to when a trial is lost; 0: there is no trial
	doubling bool   // no trial was lost yet
	down     bool   // the next trial is of a lower limit
	pause    int    // windows between two trials
	wait     int    // windows until the next
	calm     int    // windows without trials after the last time that the store asked for fewer requests, if it goes on to ask
}

func newClimber(low, high int) climber {
	return climber{min: low, max: high, limit: low, doubling: true, pause: minPause / 2}
}

// slow is the decision after the store asked for fewer requests. Each time it is longer until the limit is raised again.
func (c climber) slow() climber {
	calm := min(max(2*c.calm, 2*minPause), 2*maxPause)
	return climber{min: c.min, max: c.max, limit: max(c.min, c.limit/2), pause: minPause, wait: calm, calm: calm}
}

// next is the decision after a window.
func (c climber) next(w window) climber {
	if c.from != 0 {
		return c.judge(w)
	}
	return c.hold(w)
}

// hold watches the limit that is kept, and begins a trial when it is time.
func (c climber) hold(w window) climber {
	used := w.level >= full*float64(c.limit)
	if !used && w.level <= float64(c.lower()) {
		return c // there was not much to do
	}
	if w.rate < c.base.rate/2 {
		c.base, c.doubling, c.down = w, false, true
		return c.try(c.limit / 2)
	}
	if c.base.rate > 0 {
		w = window{(c.base.rate + w.rate) / 2, (c.base.level + w.level) / 2}
	}
	c.base = w
	if c.wait > 0 {
		c.wait--
		return c
	}
	if c.limit == c.max {
		c.down = true
	} else if c.limit == c.min {
		c.down = false
	}
	if c.down {
		return c.try(c.lower())
	}
	if !used {
		return c
	}
	return c.try(c.higher())
}

// judge ends a trial, or goes on with the next one in the same direction.
func (c climber) judge(w window) climber {
	up := c.limit > c.from
	times := w.level / c.base.level
	if up && times < more { // nobody used it: nothing is known
		c.limit, c.from, c.wait = c.from, 0, 1
		return c
	}
	if w.rate < c.base.rate*(1+fair*(times-1)) {
		c.limit, c.from = c.from, 0
		c.down, c.doubling = up && !c.doubling, false
		c.pause, c.calm = min(2*c.pause, maxPause), 0
		c.wait = c.pause
		return c
	}
	if c.limit == c.max {
		c.calm = 0
	}
	c.base, c.from, c.down, c.pause = w, 0, !up, minPause
	c.wait = c.pause
	if !up {
		return c.try(c.lower())
	}
	if w.level < full*float64(c.limit) {
		return c
	}
	return c.try(c.higher())
}

// try sets another limit on trial.
func (c climber) try(limit int) climber {
	limit = min(max(limit, c.min), c.max)
	if limit != c.limit {
		c.from, c.limit = c.limit, limit
	}
	return c
}

func (c climber) lower() int { return max(c.min, c.limit-max(1, c.limit/4)) }

func (c climber) higher() int {
	if c.doubling {
		return min(c.max, 2*c.limit)
	}
	return min(c.max, c.limit+max(1, c.limit/4))
}
