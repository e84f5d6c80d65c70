-- expect: malformed
return .0
