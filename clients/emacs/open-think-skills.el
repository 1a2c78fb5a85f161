;;; open-think-skills.el --- Skills that Emacs offers to Helm  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Functions that Helm may call.  They are offered whenever Emacs connects, and
;; gone when it leaves.  Emacs waits while one of them runs.

;;; Code:

(require 'open-think-connection)

(defvar open-think--skills nil
  "What is offered: alist of ids to plists.")

;;;###autoload
(cl-defun open-think-register-skill (id &key description schema (dangerous t) timeout-ms handler)
  "Offer Helm the skill ID, a string of small letters, digits and hyphens.
DESCRIPTION tells the model what it does and when to use it.  SCHEMA is
the JSON Schema of its input, as a plist with vectors for arrays.
Unless DANGEROUS is nil, calls are held until the user approves them.
TIMEOUT-MS is how long the daemon waits.

HANDLER is a function that gets the input as a plist.  What it returns
must be fit for `json-serialize': a string, a number, a vector, a plist
or a hash table.  Its errors are told to the model.  Emacs waits for it,
so it must be quick, and must not ask the user anything."
  (declare (indent 1))
  (setf (alist-get id open-think--skills nil nil #'equal)
        (list :handler handler
              :offer `( :id ,id
                        :description ,description
                        ,@(when schema (list :inputSchema schema))
                        :dangerous ,(if dangerous t :json-false)
                        ,@(when timeout-ms (list :timeoutMs timeout-ms)))))
  (when open-think--capabilities
    (open-think--offer id))
  id)

(defun open-think-unregister-skill (id)
  "Offer the skill ID no longer."
  (setf (alist-get id open-think--skills nil 'remove #'equal) nil)
  (when open-think--capabilities
    (open-think--request "skills.unregister" `(:skills [,id]))))

(defun open-think--offer (id)
  "Offer the skill ID to the daemon, and tell if that refuses it."
  (when (open-think--speaks-p "skills.register")
    (open-think--request "skills.register"
                         `(:skills [,(plist-get (alist-get id open-think--skills nil nil #'equal) :offer)])
                         #'ignore
                         (lambda (failure)
                           (unless (open-think--lost-p failure)
                             (message "open-think: Helm does not get %s: %s" id (open-think--error-text failure)))))))

(defun open-think--offer-all ()
  "Offer all skills.
One at a time, because an id of the daemon's own takes the others of its
request with it."
  (mapc #'open-think--offer (reverse (mapcar #'car open-think--skills))))

(defun open-think--run-skill (params)
  "Run the skill that PARAMS of a `skills.call' name, and give its output."
  (let* ((id (plist-get params :skill))
         (skill (alist-get id open-think--skills nil nil #'equal)))
    (unless skill
      (error "Emacs does not offer the skill %s" id))
    (funcall (plist-get skill :handler) (plist-get params :input))))

(setq open-think-skill-function #'open-think--run-skill)
(add-hook 'open-think-connected-functions #'open-think--offer-all)

(provide 'open-think-skills)
;;; open-think-skills.el ends here
