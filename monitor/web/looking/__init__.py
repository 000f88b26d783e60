"""Looking at a site's pictures: counting what they show, comparing two dates, and drawing where its parts are."""
