;;; open-think-picker.el --- Asking the user  -*- lexical-binding: t; -*-

;; SPDX-License-Identifier: MIT OR Apache-2.0

;;; Commentary:

;; Choices with remarks, inputs that are checked, and pages of answers.

;;; Code:

(require 'open-think-connection)
(require 'open-think-session)

(defun open-think--choose (prompt rows &optional any)
  "Ask with PROMPT for one of ROWS, an alist of names to remarks.
Other names are taken too if ANY."
  (completing-read
   prompt
   (lambda (string predicate action)
     (if (eq action 'metadata)
         `(metadata (display-sort-function . identity)
                    (annotation-function
                     . ,(lambda (name)
                          (when-let ((remark (cdr (assoc name rows))))
                            (concat (propertize " " 'display '(space :align-to 40)) remark)))))
       (complete-with-action action rows string predicate)))
   nil (not any)))

(defun open-think--provider-remark (row)
  "What is to be known of a provider before it is chosen: its ROW."
  (if (and (eq t (plist-get row :enabled)) (eq t (plist-get row :configured)))
      (concat (when (eq t (plist-get row :default)) "default, ")
              (plist-get row :state) ", " (plist-get row :description))
    (concat "not ready: " (or (plist-get row :hint) "it is not enabled"))))

(defun open-think--read-session (prompt)
  "Ask with PROMPT for the name of a session."
  (let ((rows (plist-get (open-think--fetch "sessions.list" nil) :sessions)))
    (let ((name (open-think--choose
                 prompt
                 (mapcar (lambda (row)
                           (cons (plist-get row :sessionName)
                                 (concat (format "%d messages" (plist-get row :messageCount))
                                         (when (cl-plusp (plist-get row :heldCount))
                                           (format ", %d held" (plist-get row :heldCount)))
                                         (when (eq t (plist-get row :running)) ", working"))))
                         rows)
                 t)))
      (if (string-blank-p name) open-think-default-session name))))

(defun open-think--template (schema)
  "The beginning of an input that fits SCHEMA."
  (let ((properties (plist-get schema :properties)))
    (concat "{"
            (mapconcat (lambda (name)
                         (let ((property (plist-get properties (intern (concat ":" name)))))
                           (format "%S: %s" name (pcase (plist-get property :type)
                                                   ("string" "\"\"") ("array" "[]") ("object" "{}")
                                                   ("boolean" "false") (_ "0")))))
                       (plist-get schema :required) ", ")
            "}")))

(defun open-think--read-json (prompt initial)
  "Ask with PROMPT for a JSON object, with INITIAL to begin with."
  (let ((text initial) value fault)
    (while (progn
             (setq text (read-string (concat (when fault (format "[%s] " fault)) prompt) text)
                   fault nil)
             (condition-case failure
                 (progn
                   (setq value (json-parse-string text :null-object nil :false-object :json-false))
                   (unless (hash-table-p value)
                     (setq fault "not an object")))
               (json-error (setq fault (error-message-string failure))))
             fault))
    value))

(defun open-think--show-page (name text)
  "Show TEXT in a buffer called NAME."
  (with-current-buffer (get-buffer-create name)
    (special-mode)
    (let ((inhibit-read-only t))
      (erase-buffer)
      (insert text "\n")
      (goto-char (point-min)))
    (display-buffer (current-buffer))))

(provide 'open-think-picker)
;;; open-think-picker.el ends here
