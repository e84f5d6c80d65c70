-- expect: fails
return next({})
