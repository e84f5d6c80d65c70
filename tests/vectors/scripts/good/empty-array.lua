-- expect: returns []
return {}
